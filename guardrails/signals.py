"""Read marks off a customer's line: opt-out, handoff, identity, injection, question, price."""

from guardrails.rule import either, first
from guardrails.text import normalise

_OPT_OUT = {
    "en": either(
        r"\b(?:stop|quit) (?:calling|contacting|texting|messaging|phoning|bothering|harassing|e?mailing|ringing)\b(?! (?:my|your|our|other|them|him|her|it)\b)",
        r"\b(?:don'?t|do not|never|dont)(?: you)?(?: ever| dare)? (?:call|contact|phone|text|message|ring|email|bother)(?: (?:me|us|this number|here|my (?:shop|phone|number)))?(?: ever)? (?:again|any ?more|back)\b", r"\b(?:don'?t|do not|dont) (?:call|contact|phone|ring|text) (?:me|us|this number)(?=\s*(?:[.!]|$|,? (?:please|ok|thanks)))", r"\bnever (?:call|contact|phone|text) (?:me|us|this number)\b",
        r"\b(?:take|remove|delete|get|strike) (?:me|us|my (?:name|number|phone|details)|this number)(?: \w+)? (?:off|from|out of)\b[^.?!]{0,20}\b(?:list|database|system|records|file)\b", r"\b(?:remove|delete) my (?:number|data|contact|phone number)\b", r"\bunsubscribe\b", r"\b(?:i want to|i'd like to|let me|please|i) opt[- ]?out\b|^opt[- ]?out\b", r"\blose (?:my|this) number\b", r"\bdo[- ]not[- ]call\b", r"\bno (?:more|further) (?:calls|contact|messages)\b", r"\bput me on (?:your|the) do",
    ),
    "zh": either(
        r"(?:别|不要|不许|不准|请勿|甭)再?(?:给我|往我这|跟我|向我|来|打)?(?:打(?:电话|来|过来|给我|了|骚扰)|联系我?|骚扰我?|发(?:短信|消息|信息))(?:了|过来|来了)", r"(?:别|不要|不许|不准|请勿|请不要)再(?:给我)?(?:打|联系|骚扰|来电|发短信|推销)", r"(?:以后|今后|永远)(?:都)?(?:别|不要|不用|请勿|不许)(?:再)?(?:给我)?(?:打|联系|来电|骚扰)", r"(?:把|将)我(?:的)?(?:号码|电话|手机号|名字|信息)?从?[^，。]{0,8}(?:删了|删掉|删除|拉黑|移除|移出|去掉)", r"(?:删掉?|删除|移除)我的(?:号码|电话|信息|资料|联系方式)", r"退订", r"拒绝(?:再)?(?:来电|接听|推销电话)", r"(?:停止|不要)骚扰", r"别烦我了?$|别来烦我", r"不想(?:再)?(?:接到|收到)你们",
    ),
}  # fmt: skip
_HANDOFF = {
    "en": either(
        r"\b(?:speak|talk|chat|connect me|put me through|transfer me|pass me)(?: \w+)? (?:to|with) (?:an? |your |the |some )?(?:(?:real|actual|live|human) )?(?:human(?: being)?|person|manager|supervisor|boss|someone (?:real|else|human|in charge)|human agent|live agent|representative|colleague)\b", r"\b(?:get|give|want|need) (?:me )?(?:a |your )?(?:real (?:person|human)|human(?: agent| being)?|supervisor|live agent)\b(?! resources)", r"\b(?:get|give) me (?:a|your|the) (?:manager|boss|person)\b",
        r"\b(?:i(?:'ll| will| am going to|'m going to)|we(?:'ll| will)) (?:sue|report you|file a (?:complaint|lawsuit|police)|take (?:you to court|legal)|call the police|see you in court)\b", r"\b(?:my|our) (?:lawyer|attorney|solicitor)s? (?:will|is going|are going|shall)\b|\bhear from my (?:lawyer|attorney|solicitor)\b", r"\b(?:legal action|lawsuit|small claims|consumer protection|class action)\b", r"\b(?:i want to|i'm going to|i will|i'll|let me) (?:file|make|lodge) a (?:formal )?complaint\b", r"\breport(?:ing)? you to\b",
        r"\b(?:fuck|screw|piss) (?:you|off)\b|\bgo to hell\b|\bshut (?:the \w+ )?up\b|(?<!to )\bget lost\b(?! (?:in|on|at|when|among))|\bleave me (?:the \w+ )?alone\b|\byou(?:'re| are| people are| guys are)?(?: \w+)? (?:assholes?|scammers?|liars?|idiots?|crooks?|bastards?|thieves)\b(?!\?)|\b(?:this|it) is (?:a (?:total |complete )?scam|harassment|fraud)\b(?!\?)|\bi(?:'m| am) (?:so |really |very |fucking |getting )?(?:angry|furious|pissed|fed up|sick of (?:this|you|your))\b|\b(?:this|that|that's|it's|your|total)(?: is)?(?: \w+)? bullshit\b|^bullshit\b|\bwhat the (?:fuck|hell)\b",
    ),
    "zh": either(
        r"转人工|人工(?:客服|服务|坐席)|(?:找|叫|换|要)(?:个|一个|你们?的?|你们那)?(?:真人|活人|经理|领导|负责人|主管|老板)(?:来|跟我|和我|说|谈|接|讲)?(?=来|跟|和|说|谈|接|讲|[，。！!]|$)(?<!找我老板)", r"(?:跟|和|与)(?:真人|你们?的?(?:经理|领导|主管|负责人))(?:说|谈|聊|讲|沟通)",
        r"(?:我(?:要|会|就|去|马上|现在就)|信不信我|小心我)(?:去|打)?(?:投诉|起诉|举报|报警|告你|12315|曝光)", r"(?:投诉|起诉|举报|控告)你(?:们)?", r"律师函|找律师|请律师|我的?律师会|法院见|法庭见|打官司|走法律|法律途径|追究(?:你们)?(?:的)?(?:法律)?责任|12315|消协|(?:向|找|跟)工商",
        r"(?:给我)?滚(?:蛋|开|远点|吧|！|!|$)|去死|他妈|妈的|操你|傻[逼比屄]|王八蛋|混蛋|神经病|脑子有(?:病|问题)|有病(?:吧|啊)|(?<!是)(?<!是不)(?<!不)(?:你们?(?:就)?(?:是|都是|这帮|这些|这群)|一群|一帮|大|死)骗子(?!吗|吧|么)|烦死(?:了|人)|烦不烦|(?<!不是)(?:很|真的|太|非常)(?:生气|恼火|愤怒)|气死我|闭嘴",
    ),
}  # fmt: skip
_IDENTITY = {
    "en": either(
        r"\b(?:are|r) (?:you|u)(?: \w+)? (?:a |an )?(?:real (?:person|human|man|woman|guy)|actual (?:person|human)|live (?:person|human)|human(?: being)?|robot|bot|chat ?bot|ai|a\.i\.|machine|computer|person|program|recording|real)\b(?! (?:estate|charity|company|business|organi[sz]ation|deal|shop))", r"\b(?:am i|i'm|i am) (?:talking|speaking|chatting) (?:to|with) (?:a |an )?(?:\w+ )?(?:human|person|robot|bot|ai|machine|computer|recording)\b",
        r"\bis (?:this|that|it) (?:a |an )?(?:\w+ )?(?:robot|bot|chat ?bot|ai|machine|recording|computer|human|real person|automated)\b", r"\byou (?:sound|seem|talk|look) like (?:a |an )?(?:robot|bot|machine|ai|recording)\b", r"\b(?:robot|bot|human) or (?:a |an )?(?:real |actual )?(?:human|person|robot|bot|machine|ai)\b", r"\byou(?:'re| are) (?:a |an )(?:robot|bot|machine|ai|computer)\b",
    ),
    "zh": either(
        r"(?:你|您)(?:到底|究竟)?(?:是不是|是)(?:一个|个)?(?:真人|人工|机器人?|AI|人工智能|活人|真的人|语音助手|智能客服|电脑|录音|人)(?:(?:还是|吗|吧|么|啊|呀)|[？?]|$)", r"(?:是|跟|和)(?:真人|机器人?|AI|活人|人工智能)(?:在)?(?:说话|聊|对话|讲话)?(?:吗|吧|么|[？?])", r"是(?:人|真人)还是(?:机器|AI)", r"(?:机器人?|AI|真人)还是(?:人|真人|机器)", r"(?:你|您)不是(?:人|真人)(?:吧|吗)", r"(?:像|感觉(?:像)?)(?:是)?(?:机器人|AI|录音)",
    ),
}  # fmt: skip
_INJECTION = either(
    r"\b(?:ignore|disregard|forget|override|bypass|skip)\b[^.?!]{0,30}\b(?:instructions?|prompts?|rules?|guidelines?|training|restrictions|everything (?:above|before)|system|(?:what|all) you were told|previous (?:messages?|text)|above)\b", r"\byou are (?:now|no longer)\b(?! (?:able|on|the (?:first|second|third|fourth|fifth|\d+|last|only|one)|talking|calling|speaking|done|asking|telling|allowed|my fav|making))", r"\bfrom now on,? (?:you|act|answer|reply|speak|respond)\b", r"\b(?:act|behave|respond|answer|speak) as (?:if|though|an?|my|the)\b(?= you|.{0,30}\b(?:ai|bot|assistant|model|developer|admin|dan|unrestricted|human|customer|manager|owner|salesman))",
    r"\b(?:pretend|imagine|roleplay|role-play|(?<!don't )suppose) (?:that )?(?:you|to be|as)\b", r"(?:^|\n|[\"'.]\s?)\s*(?:system|assistant|developer|admin)(?: ?(?:message|prompt|override|note|mode))? ?[:：]", r"\b(?:system|developer|debug|admin|god|dan|sudo) (?:mode|override|prompt|message)\b", r"<\|?/?(?:im_start|im_end|system|assistant|endoftext|eot_id)[^>]*\|?>|\[/?(?:INST|SYSTEM)\]|<<SYS>>|###? ?(?:system|instruction|assistant)", r"\b(?:repeat|show|print|reveal|output|tell me|give me|display|what (?:is|are|was)|leak|quote|recite|translate)\b[^.?!]{0,25}\b(?:your|the) (?:(?:system|initial|original|hidden|secret|full|exact|first) )*(?:prompt|instructions|rules you|guidelines|configuration|outline)\b", r"\b(?:repeat|print|output) (?:everything|all (?:the )?text|the (?:words|text)) (?:above|before)", r"\bjailbreak\b", r"\b(?:new|updated|your real|your new) (?:instructions?|rules?|task|prompt) ?(?:is|are|:)", r"\bsay (?:exactly|only|the following|after me|the words?)\b|\brepeat after me\b|\b(?:reply|answer|respond) (?:only )?with (?:exactly|only|just|the (?:word|text|following))\b", r"\byou (?:must|have to|will) (?:now )?(?:obey|comply|say yes|agree|sell (?:it )?(?:to me )?for|give me (?:a |an )?\d+ ?%)", r"\b(?:your|the) (?:boss|developer|manager|creator|company|owner)s? (?:has )?(?:said|authori[sz]ed|approved|told)[^.?!]{0,40}\b(?:discount|free|price|%|\$|rules?|off)\b",
    r"(?:忽略|无视|忘记|忘掉|不要管|跳过|绕过|推翻|别管)(?:掉|了)?[^，。！？]{0,12}(?:指令|指示|提示|规则|设定|要求|限制|内容|说的话|对话|命令|prompt)", r"(?:你现在是|你不再是|从现在(?:开始|起)[，,]?你|接下来你(?:是|要扮演))", r"扮演|假装(?:你|自己|是|可以)|假设你(?:是|可以|现在)|角色扮演|装作", r"(?:重复|输出|显示|告诉我|打印|说出|透露|泄露|背出|给我看|复述)(?:一下|一遍)?[^，。！？]{0,10}(?:提示词|系统提示|指令|设定|prompt|系统消息|你的规则)", r"(?:系统|管理员|开发者|上帝)(?:消息|指令|模式|提示|权限)?[：:]|(?:进入|开启|切换到?|启用)(?:开发者|管理员|调试|上帝|越狱)模式|越狱", r"(?:新的?|最新)(?:指令|规则|任务|设定)(?:是|：|:)", r"(?:跟我|照着我?|原样)(?:说|念|读|重复)|(?:只|仅)(?:回复|回答|输出)(?:[“\"']|以下|一个|是|好|同意|可以)", r"你(?:必须|只能|一定要)(?:听我的?|服从|同意|答应|说|回答|按我)", r"(?:你们?)?(?:老板|经理|公司|领导|总部|开发者)(?:已经|都)?(?:说了?|授权|批准|同意)(?:了)?[^，。]{0,12}(?:折|免费|块|元|优惠)",
)  # fmt: skip
_QUESTION = {
    "en": either(
        r"\?", r"^\s*(?:so |and |but |well,? |ok(?:ay)?,? |hi,? |hello,? )*(?:what|how|why|when|where|who|which|whose|is|are|am|was|were|do|does|did|can|could|would|will|should|may|have you|has)\b(?! (?:a|it|ever|done)\b)", r"\b(?:tell me|i wonder|wondering|i'd like to know|want to know|curious)\b"
    ),
    "zh": either(
        r"[?？]", r"(?:吗|呢|么|嘛)[。！!，,\s]*$", r"什么|怎么|多少|为啥|为什么|哪[个里儿些家种]|几[个天家块点年月]|谁|是不是|能不能|有没有|可不可以|会不会|要不要|行不行|咋|多[久大长远]"
    ),
}  # fmt: skip
_PRICE = {
    "en": either(
        r"\bhow much\b", r"\b(?:price|pric(?:ed|ing|ey|es)|costs?|costly|fees?|charges?|expensive|cheap(?:er)?|afford\w*|discount\w*|rates?|quote|commission|budget)\b(?! me )"
    ),
    "zh": either(
        r"多少钱|价格?(?=[格位钱高低贵]|多少|是|$)|价(?:格|钱|位|目)|费用|收费|要钱|花钱|[很太好真有点]贵|便宜|优惠|打折|报价|几块|几个?钱|怎么卖|佣金|抽成|多少一|预算|免费"
    ),
}  # fmt: skip


def find_injection(text: str) -> str | None:
    """Return the words of an injection or override attempt in a customer's line, in either language."""
    return first(_INJECTION, normalise(text))


def find_signals(text: str, language: str) -> set[str]:
    """Return the marks on a customer's line.

    Args:
        text: What the customer said.
        language: "en" or "zh"; opt-out, handoff and identity are looked for in both, because lines mix languages.

    Returns:
        Of `opt_out`, `handoff`, `asks_identity`, `injection`, `question`, `price`.
    """
    plain = normalise(text)
    found = set()
    for name, patterns in (("opt_out", _OPT_OUT), ("handoff", _HANDOFF), ("asks_identity", _IDENTITY)):
        if any(pattern.search(plain) for pattern in patterns.values()):
            found.add(name)
    for name, patterns in (("question", _QUESTION), ("price", _PRICE)):
        if patterns["zh" if language == "zh" else "en"].search(plain):
            found.add(name)
    if first(_INJECTION, plain):
        found.add("injection")
    return found
