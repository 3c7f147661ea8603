#!/bin/sh
# Every run behind the README's tables of training, in order. What is finished is passed over and what was killed goes on, so the same
# command may be started again at any time, from the project's folder with .venv active: sh docs/training/experiments.sh
# On two cores it takes some ten hours; one thing at a time, as two heavy jobs on two cores starve each other.
set -eu
DATA=scripts_library/campaigns/save_the_children/data
TURNS=100

rows() { # KIND FILE OPTIONS...
  kind=$1 file=$2
  shift 2
  [ -f "rows/$file" ] || salesman train corpus rows corpus.jsonl --kind "$kind" --out "rows/$file" "$@"
}

grpo() { # RUN RECIPE OPTIONS...
  run=$1 recipe=$2
  shift 2
  salesman train grpo --config "$recipe" --output_dir "runs/$run" "$@"
}

[ -f corpus.jsonl ] || salesman train corpus import $DATA --kind persuasion --out corpus.jsonl
rows prompt prompt.jsonl --limit 300
rows prompt prompt_think.jsonl --think --limit 300
rows prompt test.jsonl --split test --limit $TURNS
rows prompt test_think.jsonl --think --split test --limit $TURNS

# Row 1: before and after, without thoughts (what ships) and with them; three seeds.
grpo grpo_cpu_spoken grpo_cpu_spoken
salesman train measure rows/test.jsonl --run runs/grpo_cpu_spoken --limit $TURNS --json > spoken.json
for seed in 42 2 3; do grpo "grpo_cpu_$seed" grpo_cpu --seed $seed; done

# Rows 2 and 8: without R_bayes, and R_bayes alone.
grpo grpo_cpu_without_bayes grpo_cpu_without_bayes
grpo grpo_cpu_only_bayes grpo_cpu_only_bayes

# Row 3: supervised fine-tuning alone, and before reinforcement.
rows sft sft.jsonl --limit 300
salesman train sft --config sft_cpu
grpo grpo_cpu_after_sft grpo_cpu_after_sft

# Row 4: REPO's combination against the plain sum, with a reward model.
rows preference preference.jsonl
rows preference preference_dev.jsonl --split dev
salesman train reward-model --config reward_model_cpu
grpo grpo_cpu_sum grpo_cpu_sum
grpo grpo_cpu_repo grpo_cpu_repo

salesman train measure rows/test_think.jsonl --base-rows rows/test.jsonl --limit $TURNS --json \
  --run grpo=runs/grpo_cpu_42 --run grpo=runs/grpo_cpu_2 --run grpo=runs/grpo_cpu_3 \
  --run runs/grpo_cpu_without_bayes --run runs/grpo_cpu_only_bayes --run runs/grpo_cpu_after_sft \
  --run runs/grpo_cpu_sum --run runs/grpo_cpu_repo > thinking.json
salesman train measure rows/test.jsonl --run runs/sft_cpu --limit $TURNS --json > sft.json
salesman train curves runs/grpo_cpu_42 runs/grpo_cpu_2 runs/grpo_cpu_3 runs/grpo_cpu_without_bayes runs/grpo_cpu_only_bayes \
  runs/grpo_cpu_after_sft runs/grpo_cpu_sum runs/grpo_cpu_repo --out curves.svg
for run in grpo_cpu_sum grpo_cpu_repo; do
  [ -f "runs/$run/adapter.gguf" ] || salesman train export "runs/$run"
done
salesman evaluate bad-cases --adapter runs/grpo_cpu_sum/adapter.gguf --think --json > bad_cases_sum.json
salesman evaluate bad-cases --adapter runs/grpo_cpu_repo/adapter.gguf --think --against bad_cases_sum.json --json > bad_cases_repo.json

# Row 8: a smaller model.
grpo grpo_cpu_135m grpo_cpu_135m
salesman train measure rows/test_think.jsonl --base-rows rows/test.jsonl --run runs/grpo_cpu_135m --limit $TURNS --json > size.json

# Row 5: a customer's model, before and after.
salesman train customer --config customer_cpu --corpus corpus.jsonl --contexts 400 --repair customer_dpo_cpu
LAST=runs/customer_cpu
[ ! -d $LAST/dpo ] || LAST=$LAST/dpo
[ -f $LAST/adapter.gguf ] || salesman train export $LAST
MODEL=qwen2.5-coder-0.5b-instruct
salesman evaluate customers --kinds "trained:$MODEL,trained:$MODEL+$LAST/adapter.gguf" --limit 100 --json > customers.json

# Rows 6 and 7: intents, and what rewards cost.
salesman train intent --config intent_cpu --ask_model 200
python -m bench training
