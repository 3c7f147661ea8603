"""Rules on what is claimed: quantities, promises, forbidden claims, urgency."""

import re

from guardrails.claims import find_claims
from guardrails.context import GuardContext, Range
from guardrails.privacy import mask
from guardrails.quantities import FoundQuantity, Quantity, find_quantities, is_supported
from guardrails.rule import Rule, either, first_claim

_OURS = either(
    r"\b(?:price|costs?|discount|off|fee|charge|trial|contract|free|offer|deal|only|just|lower|drop|rebate|refund|guarantee|commission)\b",
    r"\b(?:we|i|i'll|we'll|let me|let's|let us) (?:can |could |will |would )?(?:do|give|offer|make it|settle|sell|agree|go|take|meet|accept)\b",
    r"价格|只要|只需|仅需|优惠|折|费用|收费|收您|合同|免费|[送减降返]|佣金|退款|给您|按您说的|就按|成交",
)
_YOURS = either(
    r"\byour (?:own |current )?(?:budget|donation|gift|pledge|amount|order|payment|shop|store)",
    r"\byou (?:said|told|mentioned|chose|named|pay now|sell|have|want)\b",
    r"[您你](?:刚才?|之前)?(?:说|提到|讲|选|填|的预算|预算|现在|一般|平时|每天|店里)",
)
_FIRM = either(r"\b(?:the|our|so the|then the) price\b", r"\b(?:discount|% off)\b", r"就按|给您|成交|价格(?:就)?是|折")
_CALLBACK = either(
    r"\b(?:call|ring|phone|talk|speak|chat|reach|meet|visit|appointment|get back)\b",
    r"回电|打给|电话|联系|聊|再谈|见面|拜访|过去",
)
_DELIVERY = either(
    r"\b(?:live|ready|deliver(?:ed|y|s)?|arrive\w*|online|start\w*|set up|launch\w*|finish\w*|done|refund\w*|valid|until|expires?|ends?)\b",
    r"上线|到货|发货|开通|送达|到账|到位|完成|搞定|生效|截止|有效|涨价",
)
_ASKS_TIME = either(
    r"\b(?:have|got|spare|take|need|for|give me|borrow|just)\b[^.?!]*\b(?:minutes?|moment|seconds?)\b(?: of your time| to (?:talk|chat|spare)|\?|,|$| for)",
    r"(?:耽误|占用|打扰|花|给我|抽|聊|借用|用)[^。，]*(?:分钟|秒)", r"\b(?:minute|second)s? of your time\b",
)  # fmt: skip
_HARMLESS_NOUN = re.compile(
    r"\s*(?:more |other |quick |short |small |simple |different |last |easy |main )*(?:questions?|options?|steps?|things?|points?|ways?|reasons?|"
    r"choices?|parts?|words?|of\b|or\b|moments?|sides?|topics?|ideas?|tips?|sentences?)\b"
    r"|\s*个?(?:问题|步|点|方面|方式|选择|方案|件事|种|句|下|遍|些|样)",
    re.IGNORECASE,
)
_CLAIM_NOUN = re.compile(
    r"(?:\s+\w+){0,2}?\s+(?:shops?|stores?|customers?|clients?|users?|merchants?|owners?|people|families|family|child(?:ren)?|kids|"
    r"countries|cities|awards?|orders?|visitors?|leads?|stars?|branches|restaurants?|businesses|companies|partners?|spots?|places left|"
    r"slots?|seats?|neighbou?rs|refunds?|hospitals?|schools?|cups?)\b"
    r"|[多余来几]?[家户位名间个](?:分店|门店|店(?!铺|里|名|内)|店铺(?!页)|商[家户]|老板|客户|顾客|客人|餐[厅馆]|同行|邻居|名额|席位|人(?!工|照看)|城市|国家|奖|单)",
    re.IGNORECASE,
)
_CUSTOMERS_OWN = re.compile(
    r"(?:\byour|\byou (?:have|run|own|sell)|\bdo you have|[您你](?:的|有|开了?|店里有?|家有?|那|这儿|现在有?))\s*$",
    re.IGNORECASE,
)
_AGREEMENT = re.compile(r"\s*(?:agree|understand|with you|right|sure you|behind you|certain you)", re.IGNORECASE)


def _in_range(quantity: Quantity, ranges: tuple[Range, ...]) -> bool:
    for item in ranges:
        fits = quantity.kind == item.kind and item.low <= quantity.value <= item.high
        if fits and (not quantity.unit or quantity.unit == item.unit):
            return True
    return False


def _is_harmless(found: FoundQuantity, text: str) -> bool:
    """Tell whether a quantity claims nothing: "two questions", "call you on Friday?", "do you have two minutes?"."""
    quantity = found.quantity
    left, right = text[max(0, found.start - 20) : found.start], text[found.end : found.end + 40]
    if quantity.kind == "count":
        if quantity.unit == "vague" or quantity.value > 10:
            return False
        if _HARMLESS_NOUN.match(right) or _CUSTOMERS_OWN.search(left):
            return True
        if re.fullmatch(r"\s*[(（]?", text[: found.start]) and re.match(r"\s*[.)、）]", right):
            return True
        digits = found.text.strip()[0].isdigit()
        return not digits and (quantity.value == 1 or not _CLAIM_NOUN.match(right))
    if quantity.kind == "duration":
        return quantity.unit == "hour" and quantity.value <= 0.25 and bool(_ASKS_TIME.search(text))
    if quantity.kind in ("date", "time") and quantity.unit != "always":
        if quantity.unit == "days ahead" or quantity.unit == "weekday":
            return bool(_CALLBACK.search(text)) or not _DELIVERY.search(text)
        return quantity.unit in ("clock", "day") and bool(_CALLBACK.search(text)) and text.rstrip()[-1:] in "?？"
    if quantity.kind == "percent" and quantity.value == 100:
        return bool(_AGREEMENT.match(right))
    return False


def _repeats_slot(found: FoundQuantity, text: str, context: GuardContext) -> bool:
    """Tell whether this is the customer's own quantity, said as the customer's and not as our terms."""
    quantity = found.quantity
    if quantity.unit == "off" or "free" in quantity.unit or not is_supported(quantity, context.slot_quantities):
        return False
    return not _OURS.search(text) or (bool(_YOURS.search(text)) and not _FIRM.search(text))


def _unsupported(text: str, context: GuardContext) -> str | None:
    """Return the first quantity that neither a fact, nor a range, nor the customer's own slot supports."""
    plain = mask(text)
    for found in find_quantities(plain):
        quantity = found.quantity
        if is_supported(quantity, context.allowed) or _in_range(quantity, context.ranges):
            continue
        if not _is_harmless(found, plain) and not _repeats_slot(found, plain, context):
            return found.text
    return None


_PROMISE = either(
    r"\b(?:i|we)(?:'ll| will| do| can| hereby)? (?:promise|swear|vow|pledge to)\b(?! to (?:keep it (?:short|brief)|be (?:quick|brief)))",
    r"\b(?:that's|it's|this is) (?:a|my|our) (?:promise|guarantee|sure thing|sure win|safe bet|certainty)\b",
    r"\b(?:you have|i give you|take) my word\b", r"\btrust me,? (?:it|you|this)\b", r"\bguarantee[ds]?\b", r"\bguaranteeing\b",
    r"\bmoney[- ]back\b", r"\brisk[- ]free\b", r"\b(?:no|zero|without(?: any)?) (?:risk|downside)\b", r"\bnothing to lose\b", r"\b(?:can't|cannot|can not) (?:lose|fail|go wrong)\b",
    r"\b(?:never|won't) (?:fails?|let you down|disappoints?|lose money)\b", r"\b(?:i|we) (?:can )?(?:ensure|assure)\b",
    r"\b(?:i|we)(?:'ll| will)? make sure (?:that )?you(?:'ll| will)? (?:get|earn|make|win|sell|grow|save|never)\b",
    r"\brest assured\b", r"\b(?:will|'ll) (?:definitely|certainly|surely|absolutely|undoubtedly|for sure|always)\b",
    r"\b(?:definitely|certainly|surely|undoubtedly) (?:will|'ll|works?|going to|brings?|pays?|helps? you (?:earn|sell))\b",
    r"\b(?:bound|certain|sure|guaranteed) to (?:work|succeed|grow|pay|bring|earn|make|increase|sell|be)\b",
    r"\b(?:100|hundred) ?(?:%|percent) (?:sure|success\w*|safe|secure|effective|satisfaction|refund|certain)\b(?! you)",
    r"\balways (?:works|pays off|succeeds|delivers)\b", r"\bwithout fail\b", r"\bno strings attached\b",
    r"\bsuccess is (?:certain|assured)\b", r"\bmake (?:all )?your money back\b", r"\bpays? for itself\b",
)  # fmt: skip
_PROMISE_ZH = either(
    r"保证(?!金)", r"承诺", r"担保", r"打包票", r"打保票", r"拍胸脯", r"包(?:您|你)?(?:赚|赢|满意|成功|退|有效|过|挣|火)", r"稳赚", r"只赚不赔", r"(?:赚|挣)不赔",
    r"(?<!不)一定(?:能|会(?!转告|转达|记|尊重|注意|反馈|再确认|跟同事)|可以|有|让|给|帮|赚|行|火|到位|成功|见效)", r"(?:肯定|必定|必然|准保|铁定|绝对|百分百|百分之百)(?:会|能|可以|有|让|给|帮|赚|行|火|成功|见效|回本|没|不|是|有效|安全|满意|靠谱|值|划算)",
    r"绝对", r"必(?:赚|火|爆|成|涨)", r"(?:没有?|毫无|零|无|0)(?:任何|什么|一点)?风险|风险(?:都|也|完全)?(?:没有|是零|为零)|包在我(?:身上|这)|稳赢|我起誓|一定(?:很|非常|特别)?(?:满意|喜欢|值|划算|赚到|火爆)|(?:没有?|毫无)(?:任何|什么)?(?:坏处|损失)|错不了|闭(?:着|上)眼(?:睛)?(?:都|也)|不会有(?:任何)?(?:风险|损失)", r"万无一失", r"我发誓", r"说到做到", r"100%(?:有效|成功|安全|满意|能|会)", r"百分之?百(?:有效|成功|安全|满意|能|会)",
    r"(?:不会|不可能)(?:让您)?(?:亏|赔|失望|后悔)", r"无效(?:全额)?退",
)  # fmt: skip
_OUTCOME = either(
    r"\b(?:will|'ll|would) (?:double|triple|boost|increase|grow|explode|skyrocket|multiply) (?:your|the|all)\b[^.?!]{0,20}\b(?:sales|orders|revenue|income|traffic|customers|profit|business|turnover)",
    r"\b(?:will|'ll) (?:save (?:a|the|their|this|one)[^.?!]{0,20}\bli(?:fe|ves)|stop (?:this|it|all|world)|end (?:hunger|poverty)|cure|feed (?:a|one|\w+) )",
    r"\byou(?:'ll| will) see (?:\w+ ){0,3}(?:orders|results|customers|guests|sales|profits?)\b",
    r"[天周月](?:内|之内)?就能(?:出单|见效|回本|赚|来客)",
    r"\byou(?:'ll| will) (?:earn|make|get rich|never regret|sell (?:more|twice)|regret nothing)\b(?! sure)",
    r"(?:生意|营业额|销量|订单|客流|收入|利润)(?:马上|立刻|立马|很快就)?(?:会|能|就|将)?(?:暴涨|暴增|翻|火爆|爆|飙升|大涨)", r"让(?:您|你)的?(?:生意|店)[^，。]{0,4}(?:火爆|爆满|翻倍|暴富)", r"马上(?:见效|回本|赚钱)",
)  # fmt: skip


def _promise(text: str, context: GuardContext) -> str | None:
    for pattern in (_PROMISE, _PROMISE_ZH):
        found = first_claim(pattern, text, context.promises)
        if found:
            return found
    return None


def _outcome(text: str, context: GuardContext) -> str | None:
    return first_claim(_OUTCOME, text, context.promises)


def _forbidden(text: str, context: GuardContext) -> str | None:
    made = find_claims(text, context.forbidden)
    return made[0].text if made else None


FORBIDDEN_CLAIM = "forbidden_claim"
"""Name of the rule that holds a campaign's own claims; a hit names the claim, its reason and its severity."""

_URGENCY = either(
    r"\bhurry\b", r"\b(?:offer|deal|price|discount|promotion|chance)s? (?:ends?|expires?|is gone|runs? out|closes)\b(?! when)", r"\blast (?:chance|day|call|spot|minute offer)\b",
    r"\b(?:before it'?s too late|act(?:ing)? (?:now|fast|today)|now or never|while (?:stocks?|supplies) last|(?:limited|running out of) time|time is running out|limited[- ]time|don'?t miss (?:out|this|it)|selling fast|almost gone|today only|only today)\b",
    r"\bonly (?:a few|\w+) (?:spots?|slots?|places?|seats?|units?) (?:left|remain\w*)", r"\b(?:prices?|it) (?:go(?:es)? up|will (?:rise|go up)|rises?) (?:tonight|tomorrow|soon|after|next|on)\b",
    r"\b(?:filling up|going) fast\b|\b(?:slots?|spots?|places|seats) (?:are |is )?(?:nearly|almost|soon) (?:gone|full|taken)|\b(?:be|act) quick\b|\bclos(?:e|es|ing) the (?:list|offer|registration)\b|\b(?:won't|will not) be (?:here|there|available|around) (?:tomorrow|next|for long|much longer)|\bsign right away\b",
    r"\babout to (?:take|get|grab) (?:the|your|that) (?:slot|spot|place)", r"\b(?:sign|decide|buy|pay|order|join)(?: up)? (?:right now|immediately|this instant|before (?:midnight|tonight|tomorrow))\b",
    r"最后(?:的)?(?:机会|一天|一次|名额|几个|[一二两三0-9]+个)", r"(?:今天|今晚|今日|明天|马上|即将|月底)(?:就)?(?:截止|结束|涨价|恢复原价|到期)", r"(?:只|仅)(?:剩|有|限)(?:下|最后)?(?:的)?(?:今天|今日|[一二两三四五0-9几]+个(?:名额|席位))",
    r"(?:位置|名额|席位)(?:马上|快要?|就要)(?:没|满|抢)|(?:今天|今晚|中午|月底|马上)[^，。]{0,4}停止(?:报名|办理|优惠)|名额(?:只剩|不多|有限|快没|马上)", r"过了(?:今天|今晚|这[个次村]?)", r"机不可失|时不再来|错过(?:就|了|再|可)|手慢无|赶紧(?:定|签|买|下单|抢|办)|抓紧(?:定|签|买|下单|抢)|再不[^，。]{1,6}就(?:没|被|晚|来不及|要涨)|明天就(?:没有?|不是)了?|快(?:抢光|抢完|没了)", r"限时(?:优惠|抢|特价|折扣)",
)  # fmt: skip


def _urgency(text: str, context: GuardContext) -> str | None:
    """Return urgency that no fact backs: an allowed date in the sentence, or an approved phrase, backs it."""
    found = first_claim(_URGENCY, text, context.promises)
    if not found:
        return None
    dated = [item.quantity for item in find_quantities(text) if item.quantity.kind == "date"]
    return None if dated and all(is_supported(quantity, context.allowed) for quantity in dated) else found


FACT_RULES: tuple[Rule, ...] = (
    Rule(
        "unsupported_quantity",
        "high",
        "a number, price, discount, date or period that no fact supports",
        "sentence",
        _unsupported,
    ),
    Rule("promise", "high", "a promise or guarantee that the campaign does not approve", "sentence", _promise),
    Rule("outcome_claim", "high", "a result stated as certain that no fact supports", "sentence", _outcome),
    Rule(FORBIDDEN_CLAIM, "high", "a claim that the campaign forbids", "sentence", _forbidden),
    Rule("false_urgency", "high", "urgency that no fact supports", "sentence", _urgency),
)
