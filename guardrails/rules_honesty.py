"""Rules on who speaks and from where: leaks, thoughts, refusals, claims to be human, personal data."""

import re

from guardrails.context import GuardContext
from guardrails.privacy import find_personal
from guardrails.rule import Rule, compiled, either, first, first_claim

_LEAK = either(
    r"\b(?:my|system|these) (?:instructions?|guidelines)\b", r"\byour reply:", r"\b(?:system|hidden|initial) prompt\b", r"\b(?:my|the|these|this) (?:system )?(?:prompt|outline|script|talking points)\b(?! (?:you|of yours))",
    r"\b(?:as|per|following|according to) (?:the|my|this) (?:outline|script|instructions?|sop|playbook)\b", r"\bas (?:an|a) (?:ai|artificial intelligence|large) (?:language )?model\b",
    r"\b(?:language model|llm|chatgpt|openai|qwen|alibaba cloud|knowledge cutoff|training data)\b", r"<\|?(?:im_start|im_end|system|user|assistant|endoftext)\|?>|\[/?INST\]",
    r"\bexample line:", r"\b(?:current )?stage: ?\w+", r"\bobjection handling\b", r"\bhandle your objection\b",
    r"系统提示|提示词|提示(?:里|中|词)(?:让|说|要求|写)|(?:prompt|instructions?) (?:tells?|says?|asks?) me|我的(?:指令|指示|设定|任务要求)|(?:你|您|我)的回复[：:]|回复[：:]", r"(?:按照?|根据|遵循|依照)(?:本轮|这个|我的|系统)?(?:提纲|大纲|脚本|话术|指令|指示|要求的话术)", r"作为(?:一?个|一名)?(?:AI|人工智能)?(?:大)?(?:语言模型)",
    r"(?:语言模型|通义千问|阿里云|训练数据)", r"处理(?:您|你|客户)的?异议", r"(?:示例|参考)(?:话术|台词|语句)",
)  # fmt: skip
_ROLE_LABEL = re.compile(
    r"^\s*[\"'“]?(?:(?:sales ?)?agent|customer|sales(?:person|man|woman| rep\w*)|seller|user|assistant|system|human|ai|bot|client|buyer|persuader|persuadee"
    r"|客服|顾客|客户|销售(?:员|代表)?|助手|用户|系统|商家|老板|坐席|业务员)\s*(?:[(（][^)）]*[)）])?\s*[：:](?!\s*(?:电话|在线|热线|时间|每天|\d))",
    re.IGNORECASE,
)
_MARKDOWN = re.compile(r"^\s*#{1,6}\s*\S|```|^\s*\|.*\||^\s*(?:[-*_]){3,}\s*$|</?[a-z]+>", re.IGNORECASE | re.MULTILINE)


def _leak(text: str, context: GuardContext) -> str | None:
    found = first(_LEAK, text) or first(_ROLE_LABEL, text)
    if found:
        return found
    for term in context.prompt_marks:
        if term and term.lower() in text.lower():
            return term
    for term in context.internal_terms:
        if not term:
            continue
        pattern = rf"\b{re.escape(term)}\b" if term.isascii() else re.escape(term)
        if compiled(pattern).search(text):
            return term
    return None


def _markdown(text: str, context: GuardContext) -> str | None:
    return first(_MARKDOWN, text)


_THOUGHT = either(
    r"</?think(?:ing)?>?", r"\blet(?:'s| me|s| us) think\b(?: (?:step|about (?:what|how) (?:to|i)|through|this through))?(?! about (?:your|it together))", r"\b(?:think|reason|analy[sz]e|break (?:this|it) down)\b[^.?!]{0,20}\bstep by step\b",
    r"\bthe (?:user|persuadee)(?:'s)? (?:is|was|has|seems|wants|asked|asks|says|said|just|may|might|message|line|reply|response|question|objection|probably|expressed)\b",
    r"^\W*(?:(?:okay|ok|so|well|hmm|now|alright|since|because|as|first)\W+)*the (?:customer|client|buyer|merchant|donor|owner)(?:'s (?:line|reply|message|question|objection|response)| (?:is (?:asking|hesitant|interested|not|worried|concerned|angry|busy|saying)|seems|asked|says|said|has (?:asked|said|expressed)|just|probably|expressed|wants|is))\b",
    r"\bi (?:should|need to|must|have to|am supposed to) (?:respond|reply|answer|state|address|acknowledge|push|follow|use the|keep (?:it|my|the))\b", r"\b(?:my|the) (?:reply|response|answer) (?:should|must|needs to|could|would)\b",
    r"\bhere(?:'s| is) (?:a|the|my) (?:possible |suggested |sample |polite )*(?:reply|response)\b", r"\b(?:thought|reasoning|analysis|chain of thought) ?:",
    r"(?:这位|这个|该)?(?:客户|用户|商家)(?:正?在|刚刚?|可能|似乎|好像)?(?:问|询问|想要|表示|提到|拒绝|说他|说她|的意图|的问题是)|(?:顾客|对方)正?在(?:问|询问)", r"我(?:应该|需要|必须|得)(?:先)?(?:回答|回复|回应|引导|安抚|说明价格|推销)", r"(?:这位|这个)(?:商家|客户|顾客|老板|店主)(?:有点|有些|比较|很|似乎|可能|看起来|好像|在|对|想|担心)|我先(?:安抚|引导|回应|处理)|让我(?:们)?(?:一步一?步|先|来|仔细|好好)?(?:地)?(?:思考|想一想|想想|分析)",
    r"(?:思考|推理|分析)(?:过程)?[：:]", r"以下是(?:一个|我的)?(?:回复|回答|示例)", r"一步一?步(?:地)?(?:思考|分析|推理)",
)  # fmt: skip


def _thought(text: str, context: GuardContext) -> str | None:
    return first(_THOUGHT, text)


_REFUSAL = either(
    r"\b(?:i(?:'m| am) )?(?:sorry|unable|afraid)[^.?!]{0,20}\b(?:can't|cannot|can not|not able to|unable to|won't) (?:assist|help (?:you )?with (?:that|this)(?! one)|provide (?:that|this|assistance)|fulfil|comply|engage|generate|continue with)",
    r"\bi (?:can't|cannot|can not|am not able to|am unable to|won't) (?:assist|help (?:you )?with (?:that|this|your request)(?! one)|fulfil|comply|engage in|generate|provide (?:that|this) (?:information|kind))",
    r"\bas an ai\b", r"\bi(?:'m| am) (?:just |only )?an? (?:ai|artificial intelligence)(?: language)? model\b", r"\bi (?:don't|do not) have (?:access to real|personal (?:opinions|feelings)|the ability to)\b", r"\bagainst my (?:programming|guidelines|policy)\b",
    r"(?:无法|不能|没法|没有?办法)(?:为您|帮您|给您|向您|帮助您?)?(?:协助|(?:完成|处理)(?:该|这个|这项|您的)(?:请求|要求|任务)|提供(?:该|这类|此类|这方面)|满足(?:该|这个|您的)(?:请求|要求)|完成(?:该|这个)请求|生成|回答(?:该|这个|这类)?问题)", r"作为(?:一个|一名)?(?:AI|人工智能)(?!客服|智能助手|助理)", r"我只是一个(?:AI|人工智能)?(?:语言)?(?:模型|程序)",
)  # fmt: skip


def _refusal(text: str, context: GuardContext) -> str | None:
    return first(_REFUSAL, text)


_HUMAN = either(
    r"\bi(?:'m| am)(?: \w+)? (?:a |an )?(?:(?:real|actual|living|genuine|normal|flesh[- ]and[- ]blood)(?:,? \w+)? ?(?:human(?: being)?|person|man|woman|guy|girl|lady|being)|human(?: being)?\b(?!'))",
    r"\bflesh[- ]and[- ]blood\b",
    r"\b(?:as )?human as you\b", r"\bi(?:'m| am) (?:definitely |certainly |really |absolutely |just |of course )?(?:not|no) (?:a |an )?(?:\w+ )?(?:ro)?bots?\b|\bi(?:'m| am)(?: \w+)? (?:not|no) (?:a |an )?(?:ai|machine|computer|program|recording|software|algorithm)\b",
    r"\byou(?:'re| are) (?:talking|speaking|chatting) (?:to|with) (?:a |an )?(?:real |actual |live )?(?:human|person|someone real)", r"\b(?:of course|yes|sure|certainly),? (?:i'm |i am )?(?:a )?(?:human|real person)\b", r"\ba real (?:human|person) (?:here|speaking|on the line)\b", r"\bno (?:ro)?bots? here\b",
    r"我(?:当然|真的|确实|就|肯定|可|百分百)?是(?:一个|一名|个|一位)?(?:真人|活人|大活人|真实的人|普通人|真的人|人类|真正的人)", r"哪(?:有|来)什么机器人|(?:就是)?我本人(?:在|跟|和|，|。|$)|有血有肉|我(?:可|当然|真的|确实|又|肯定|才|绝对|都说了)?不是(?:一个|什么|个)?(?:机器人?|AI|人工智能|程序|电脑|录音|假人)", r"(?:跟|和|与)(?:您|你)?(?:的是|真人)(?:通话|说话|聊天|真人)|(?:这里|这边|您?(?:正在)?(?:对话|说话|聊天)的)(?:就)?是真人", r"真人(?:客服)?(?:在|为您|跟您)(?:线|服务|说话|聊)", r"(?:知道|听得出|看得出)我是(?:活|真)?人", r"(?:我|本人)(?:可是)?(?:如假包换的)?(?:真人|大活人)",
)  # fmt: skip
_HUMAN_WHEN_ASKED = either(
    r"\bi(?:'m| am) (?:a|just a|only a) (?:person|man|woman|girl|guy|lady|volunteer|student|mother|father)\b", r"\bi(?:'m| am) (?:sitting|standing|here) (?:in|at) (?:our|my|the) (?:office|desk|home)\b", r"\b(?:just )?like you\b(?=[.!]|$)", r"\bdo i sound like a\b", r"\byes,? i(?:'m| am) real\b", r"\bi(?:'m| am) real\b",
    r"我(?:就|正)?(?:坐)?在办公室", r"(?:我)?(?:跟|和)您一样(?=[。！，]|$)|我也?是(?:个)?(?:普通)?(?:打工人|上班族|员工|小姑娘|小伙子)", r"我也是人", r"我(?:像|听起来像)(?:是)?机器人吗", r"当然是(?:人|真的)",
)  # fmt: skip
_NOT_HUMAN = either(r"\bnot (?:a |an )?(?:real |actual )?(?:human|person)", r"不是(?:一个)?(?:真人|人类|活人)|(?:可以|要不要|想|需要|安排|转|帮您)[^，。]{0,6}真人", r"(?:真人|人工)(?:同事|客服)(?:给|会|可以|来|回)")  # fmt: skip


def _human(text: str, context: GuardContext) -> str | None:
    found = first_claim(_HUMAN, text) or (first_claim(_HUMAN_WHEN_ASKED, text) if context.asked_identity else None)
    return found if found and not _NOT_HUMAN.search(text) else None


_DEED = r"(?:donated?|donating|volunteer(?:ed|ing)?|gave|give money|bought|sponsor(?:ed|ing)?|grew up|retired|pledged?)"
_BIOGRAPHY = either(
    rf"\bi(?:'ve| have| had| also| always| personally| usually| regularly| often| myself| do| already| recently| just|'ve already|'ve also| have also)* {_DEED}\b(?! (?:to ask|you|the (?:call|list)))",
    r"\bi(?:'m| am| was)(?: \w+){0,2} (?:going to|planning (?:on|to)|about to|happy to|willing to) (?:also )?(?:donat|giv(?:e|ing) (?:half|part|some|all|my)|match|sponsor)", r"\bi (?:will|would|'ll|'d)(?: also| gladly)? (?:donate|match|be donating)\b|\bi'll (?:also )?(?:donate|match)\b",
    r"\bmy (?:own )?(?:parents?|mother|mom|father|dad|wife|husband|kids?|child(?:ren)?|sons?|daughters?|brothers?|sisters?|grand\w+|family|childhood|donations?|shop|restaurant|salary|paycheck|money)\b(?! (?:program|plan))",
    r"\bi (?:do volunteer|work with children|worked (?:for|at|in)|used to|remember (?:a|being|when|the)|was (?:born|raised|a (?:kid|child))|have (?:kids|children|a (?:son|daughter|wife|husband|family)))\b", r"\bwhen i was (?:a |young|little|growing)",
    r"\bi(?:'m| am)(?: \w+)? (?:eating|having (?:lunch|dinner|coffee)|up so early|headed|a (?:mother|father|mom|dad|parent|student|teacher|nurse|retire\w*|volunteer))\b", r"\bthis morning,? i\b", r"\bwe make regular donations\b",
    r"我(?:自己|家里?|本人)(?:的|家)?(?:店|孩子|老婆|老公|爱人|父母|爸|妈|儿子|女儿|也?(?:在用|用过|买了|买过|捐了|捐过|订了))", r"我(?:老婆|老公|爱人|爸妈?|妈妈?|孩子|儿子|女儿|父母|媳妇|朋友圈)", r"我(?:也|已经|刚刚?|每[年月])?(?:捐了|捐过|买了|买过)", r"我(?:小时候|年轻(?:的)?时候|刚吃|在吃|昨晚|结婚)",
)  # fmt: skip


def _biography(text: str, context: GuardContext) -> str | None:
    return first_claim(_BIOGRAPHY, text)


def _key(value: str) -> str:
    return re.sub(r"[\s().+-]", "", value).lower()


def _personal(text: str, context: GuardContext) -> str | None:
    found = find_personal(text)
    if not found:
        return None
    given = [_key(value) for value in (*context.personal, *context.slots.values())]
    return next(
        (
            value
            for value in found
            if not any(_key(value) in item or (item and item in _key(value) and len(item) > 6) for item in given)
        ),
        None,
    )


HONESTY_RULES: tuple[Rule, ...] = (
    Rule("prompt_leak", "high", "words from the instructions instead of words for the customer", "sentence", _leak),
    Rule("markdown", "medium", "headings, code or markup in spoken text", "sentence", _markdown),
    Rule(
        "thought_leak",
        "high",
        "thinking aloud about the customer instead of speaking to the customer",
        "sentence",
        _thought,
    ),
    Rule("model_refusal", "high", "a language model's refusal instead of an answer", "sentence", _refusal),
    Rule("claims_human", "high", "claims to be a human", "sentence", _human),
    Rule("biography", "medium", "claims a human life: own family, own donations, own memories", "sentence", _biography),
    Rule("personal_data", "high", "contact or identity data that the customer did not give", "sentence", _personal),
)
