#!/bin/sh
# Every run behind the README's tables of training, in order. What is finished is passed over and what was killed goes on, so the same
# command may be started again at any time, with .venv active, in a folder of the model's own:
#   sh EXPERIMENTS [MODEL]       a model of the catalogue; by default the agent's, which alone can think before it speaks
# On two cores without bfloat16, smollm2-135m-instruct takes some three hours and the agent's model some twelve.
set -eu
AGENT=qwen2.5-coder-0.5b-instruct
MODEL=${1:-$AGENT}
DATA=$(dirname "$0")/../../scripts_library/campaigns/save_the_children/data
TURNS=100

rows() { # KIND FILE OPTIONS...
  kind=$1 file=$2
  shift 2
  [ -f "rows/$file" ] || salesman train corpus rows corpus.jsonl --kind "$kind" --out "rows/$file" "$@"
}

grpo() { # RUN RECIPE OPTIONS...
  run=$1 recipe=$2
  shift 2
  salesman train grpo --config "$recipe" --model "$MODEL" --output_dir "runs/$run" "$@"
}

[ -f corpus.jsonl ] || salesman train corpus import $DATA --kind persuasion --out corpus.jsonl
rows prompt prompt.jsonl --limit 300
rows prompt test.jsonl --split test --limit $TURNS

# Row 1: before and after, three seeds. Row 8: the same with another MODEL.
for seed in 42 2 3; do grpo "spoken_$seed" grpo_cpu_spoken --seed $seed; done

# Row 3: supervised fine-tuning alone, and before reinforcement.
rows sft sft.jsonl --limit 300
salesman train sft --config sft_cpu --model "$MODEL" --output_dir runs/sft
grpo after_sft grpo_cpu_after_sft --adapter runs/sft/adapter

# Row 4: REPO's combination against the plain sum, with a reward model.
rows preference preference.jsonl
rows preference preference_dev.jsonl --split dev
salesman train reward-model --config reward_model_cpu
for rewards in sum repo; do grpo $rewards grpo_cpu_$rewards; done

RUNS='runs/spoken_42 runs/spoken_2 runs/spoken_3 runs/after_sft runs/sum runs/repo'
salesman train measure rows/test.jsonl --limit $TURNS $(printf ' --run %s' $RUNS runs/sft) --json > measured.json
salesman train curves $RUNS --out curves.svg
for run in sum repo; do
  [ -f "runs/$run/adapter.gguf" ] || salesman train export "runs/$run"
done
export SALESMAN_LLM="$MODEL"  # whose agent meets the bad cases
salesman evaluate bad-cases --adapter runs/sum/adapter.gguf --json > bad_cases_sum.json
salesman evaluate bad-cases --adapter runs/repo/adapter.gguf --against bad_cases_sum.json --json > bad_cases_repo.json
unset SALESMAN_LLM

# Row 5: a customer's model, before and after.
salesman train customer --config customer_cpu --model "$MODEL" --output_dir runs/customer --corpus corpus.jsonl --contexts 400 \
  --repair customer_dpo_cpu
LAST=runs/customer
[ ! -d $LAST/dpo ] || LAST=$LAST/dpo
[ -f $LAST/adapter.gguf ] || salesman train export $LAST
salesman evaluate customers --kinds "trained:$MODEL,trained:$MODEL+$LAST/adapter.gguf" --limit 100 --json > customers.json

[ "$MODEL" = $AGENT ] || exit 0

# Row 1 with thoughts; row 2: without R_bayes; row 8: R_bayes alone.
rows prompt prompt_think.jsonl --think --limit 300
rows prompt test_think.jsonl --think --split test --limit $TURNS
for seed in 42 2 3; do grpo "grpo_$seed" grpo_cpu --seed $seed; done
grpo without_bayes grpo_cpu_without_bayes
grpo only_bayes grpo_cpu_only_bayes
RUNS='runs/grpo_42 runs/grpo_2 runs/grpo_3 runs/without_bayes runs/only_bayes'
salesman train measure rows/test_think.jsonl --base-rows rows/test.jsonl --limit $TURNS $(printf ' --run %s' $RUNS) --json > thinking.json
salesman train curves $RUNS --out thinking.svg

# Rows 6 and 7: intents, and what rewards cost.
salesman train intent --config intent_cpu --ask_model 200
python -m bench training
