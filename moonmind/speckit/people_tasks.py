"""Kinds of task that no agent in a workspace without network, devices and accounts can do, told by their words.

A task that names a file to create or change is an agent's, whatever else it says. Git commands and deployments to a named
place are so only in a file of code that the task is to be done in. What is doubtful is an agent's too.
"""

import re
from collections.abc import Mapping

from moonmind.speckit.change_verbs import ADDS, CHANGES, MAKES, OTHERS, english, spaced, unspaced
from moonmind.speckit.lazy_pattern import lazy_pattern
from moonmind.speckit.mentions import mentions_in
from moonmind.speckit.spec_tasks import LOOKED_AT, VERIFY, Reason
from moonmind.speckit.targets import DOCUMENTS, is_folder, split

WHO: Mapping[str, str] = {
    "approval": "a person who may approve it",
    "deploy": "a person who may deploy or release",
    "environment": "a person with access to that environment",
    "device": "a person with the device",
    "assistive technology": "a person with the assistive technology",
    "another repository": "a person who works in the other repository",
    "git": "MoonMind itself commits, pushes and opens the pull request",
    "credentials": "a person who holds the accounts and secrets",
    "recording": "a person who can record it",
    "people": "the people that it names",
    VERIFY: "whoever runs the checks; nothing is to be changed",
    "no box": "a person who gives the task a box",
}
"""Who does a task of a kind; of the marks, whoever wrote them knows."""

_A_BRANCH = r"(?:`|\d{3}-)"
"""How the name of one branch begins."""
_CLAUSE_ENDS = r"[ ]?(?:$|[,;:—–]|\.(?!\w))|[ ][(-]"
_PLACES = (
    r"(?:the[ ]|an?[ ]|our[ ]|real[ ]|live[ ]|actual[ ])*(?:staging|production|prod|pre-?prod|devnet|testnet|mainnet|uat|test ?flight|app store|play store"
    r"|google play|npm|pypi|crates\.io|docker hub|nuget|maven central|vercel|netlify|fly\.io|heroku|aws|azure|gcp|cloudflare|kubernetes|k8s|github pages)"
)
_LOOKS = (
    r"(?:verify|test|run|execute|check|validate|confirm|smoke[ -]?test|smoke|measure|perform|try|install|benchmark|exercise|walk through|conduct"
    r"|review|inspect|load[ -]?test|profile)"
)
_NEVER_AFTER_DEPLOY = (
    r"(?![ -](?:script|command|workflow|pipeline|jobs?|config\w*|manifests?|button|step|hook|key|docs?|guide|function|endpoint|action|preview"
    r"|instructions|documentation|target|module|service|model|page|view|scripts|previews)\b)"
)
_UNCONDITIONAL = {
    "another repository": (
        r"\b(?:in|to|into|against)[ ](?:the[ ]|an?[ ])*(?:another|other|separate|different|sibling|upstream|external|downstream)[ ](?:[\w.-]+[ ])?repos?\b"
        r"|\b(?:in|to|into)[ ](?:the[ ])?`?[\w.-]{1,60}-[\w.-]{1,60}`?[ ]repo\b|(?<![\w.])[\w.]{1,60}-[\w.-]{1,60}[ ]레포(?:지토리)?|(?:다른|별도|외부|상위)[ ]?(?:레포|리포)"
    ),
    "approval": (r"(?:代表|責任者|オーナー|顧客|上長|クライアント)(?:の)?判断|(?:대표|책임자|오너)(?:의)?[ ]?판단"),
    "git": (
        r"^(?:run[ ])?`?git[ ](?:init|add|commit|push|tag|checkout|switch|branch|merge|rebase)\b"
        r"|^(?:check|verify|confirm|ensure|make sure)\b[^;]{0,120}?\bgit[ ]branch\b|^(?:git[ ])?branch[ ](?:check|guard)\b"
        r"|^(?:check|verify|confirm|ensure|make sure)\b[^.;]{0,40}?\b(?:(?:current|feature|right|correct|working|active)[ ]branch\b(?![ ](?:of|per|naming|rules?)\b)"
        rf"|branch[ ](?:is[ ])?{_A_BRANCH}|branch[ ]is[ ](?:current|clean|checked[ ]out|up[ -]to[ -]date)\b"
        rf"|(?:changes|work|commits?)[ ](?:is[ ]|are[ ]|was[ ]|were[ ])?(?:committed[ ]and[ ]pushed|committed|pushed)(?={_CLAUSE_ENDS}|[ ](?:to|in)[ ](?:the[ ])?(?:git|github|origin|remote)\b)"
        rf"|not[ ](?:on|in)[ ](?:the[ ])?`?(?:main|master)(?=`|[ ]branch\b|{_CLAUSE_ENDS})"
        rf"|(?:git[ ]status|working[ ](?:tree|directory|copy))[ ](?:is[ ])?clean\b|you(?:'re|[ ]are)[ ]on[ ](?:the[ ])?{_A_BRANCH})"
        rf"|^(?:check ?out|switch to)[ ](?:the[ ])?{_A_BRANCH}|^(?:stage[ ]and[ ]commit|rebase[ ]on(?:to)?)\b|^(?:initial|final)[ ]commit(?={_CLAUSE_ENDS}|[ ]and[ ]push)"
        rf"|^commit[ ]phase[ ]\d|^create[ ](?:an?[ ]|the[ ])?git[ ]tag\b"
        r"|^(?:确认|確認|检查|檢查|验证|驗證)[^，。；]{0,6}(?:当前|當前|git|功能|特性|工作|所在)[ ]?分支(?!机构|店|开关)|ブランチ[^。、]{0,16}(?:である|にいる|いる|か)[^。]{0,6}確認(?!する[^\W])|브랜치[^.,]{0,16}(?:인지|여부)[ ]?(?:확인|점검)(?!하는)"
        r"|^(?:verificar|comprobar|confirmar|vérifier|confirmer|prüfe[n]?|проверить|убедиться)\b[^.;]{0,40}\b(?:rama|branch|branche|ветк\w{1,2})\b"
        r"|^(?:create|check ?out|switch to|start)[ ](?:an?[ ]|the[ ]|new[ ]|and[ ]switch[ ]to[ ])*(?:git[ ]branch|feature[ ]branch|branch[ ](?:`|named|called|from|off|for|\d{3}-))"
        r"|^push[ ](?:the[ ]|this[ ]|your[ ]|current[ ]|feature[ ])*branch\b"
        r"|^(?:commit|push)[ ](?:and[ ](?:push|commit)[ ])?(?:(?:all|the|your|any|final|initial|first|these|remaining|everything|work|code)[ ]?)*(?:changes?|commits?|branch|everything|(?:code|work)(?=\W*$|[ ](?:to|and|with)\b)"
        r"|files|to[ ](?:git|github|origin|remote|main|the)|with[ ]message)\b"
        r"|^(?:create|open|submit|raise|prepare|file|make)[ ](?:an?[ ]|the[ ]|final[ ]|draft[ ])*(?:prs?|pull[ ]requests?|merge[ ]requests?)\b"
        r"|^merge[ ](?:the[ ]|this[ ]|feature[ ])*(?:prs?\b|pull[ ]request|branch|to[ ]main|into[ ]main|`?\w[\w/-]*`?[ ](?:in)?to[ ]`?(?:main|master|develop)\b)"
        r"|^tag[ ](?:the[ ]|a[ ])*(?:release|version|v\d|commit)"
        r"|^(?:初始化|创建|建立)[ ]?git[ ]?(?:仓库|倉庫|repo)|^(?:代码|程式碼)?(?:提交|推送)(?:代码|更改|变更|改动|(?:到|至)(?:远程|仓库|github|gitlab|origin|main|master)|pr|分支|$)"
        r"|^(?:创建|新建|切换到?)[ ]?(?:(?:新的?|功能|特性|工作|开发|git|feature)[ ]?){0,2}分支(?!机构|店|预测|节点|组件|条件)|^(?:创建|新建|切换到?)[ ]?`?\d{3}-[^，。]{1,40}分支"
        r"|^(?:创建|提交|发起)[ ]?(?:pr|pull request|合并请求)"
        r"|(?:変更|コード|すべて|成果物)を?(?:コミット|プッシュ(?!通知))|(?<![一-龠])ブランチを(?:作成|切)|(?:PR|プルリクエスト|プルリク)を?(?:作成|出す|オープン)"
        r"|(?:커밋|(?:원격|origin|git)[^.]{0,8}푸시)(?:한다|하기|합니다)?[ ]?$|브랜치[를 ]?[ ]?(?:생성(?!하는)|만들(?!어[ ]?주는))|(?:[가-힣][ ]?)PR(?:[ ]?(?:생성|작성|올리기|제출|오픈))?$"
        r"|^(?:änderungen[ ])?(?:committen|pushen)\b|^(?:crear|abrir|criar|ouvrir|créer|создать|открыть)[ ](?:une?[ ]|um[ ]|el[ ]|la[ ])*(?:pr\b|pull request|rama\b|branche\b)"
        r"|^(?:hacer|fazer|faire|сделать)[ ](?:[^\W\d]{1,12}[ ]){0,2}(?:commit|push|коммит)\b(?![ ](?:d[aeo]s?|de[ ]las?)[ ](?:notif|trans))|^закоммитить|^запушить"
    ),
    "deploy": (
        rf"^(?:(?:re-?)?deploy|release|publish|ship|roll ?out|promote)\b{_NEVER_AFTER_DEPLOY}[^;]{{0,120}}?\b(?:to|on|in|onto)[ ]{_PLACES}\b"
        r"|^(?:部署|发布|發布|上线|上線)(?:到|至)?(?:生产|生產|测试环境|预发|线上|staging|production|正式)"
        r"|(?:本番|ステージング)(?:環境)?(?:に|へ)(?:デプロイ|リリース)|(?:운영|스테이징|프로덕션)(?:[ ]?환경)?에[ ]?(?:배포|릴리스)"
    ),
}
_CONDITIONAL = {
    "git": (
        r"^(?:initiali[sz]e|init|set ?up|create)[ ](?:an?[ ]|the[ ]|new[ ]|empty[ ]|local[ ])*git(?:hub)?[ -]?repo(?:sitory)?\b"
    ),
    "another repository": (
        r"\b(?:in|to|into|against)[ ](?:the[ ]|an?[ ])*(?:another|other|different|sibling|upstream|external|downstream)[ ](?:[\w.-]+[ ])?repositor(?:y|ies)\b"
        r"|(?:另一个|另一個|其他|别的|上游|外部)[ ]?(?:代码)?(?:仓库|倉庫|存储库)|(?:別|他|上流|外部)の?[ ]?リポジトリ|(?:다른|별도|외부|상위)[ ]?저장소"
        r"|\b(?:anderen?|separaten?)[ ]repo\w*|\b(?:otro|outro|autre)[ ](?:repositorio|repositório|dépôt)"
    ),
    "approval": (
        r"^(?:get|obtain|seek|await|wait for|secure|collect)\b[^.;]{0,60}\b(?:approvals?|sign-?offs?|go-ahead|decision)\b(?=[ ](?:from|by|of|on|for|before|to)\b|\W*$|[ ]?[.,;:(–—-])"
        r"|^(?:approve|sign[ -]?off)\b(?![/ -]*(?:/|and\b|or\b|endpoint|button|flow|page|route|handler|action|command|api|service|form|modal|dialog|workflow|logic|method|request|reject))"
        r"|^(?:wait[ ]for|await)\b[^.;]{0,30}\breview\W*$|^have\b[^.;]{0,20}\b(?:legal|security|design(?:er)?s?|qa|the[ ]team)[ ]review\b"
        r"|\bsign-?off[ ](?:by|from|with|of)\b|\bsign-?off\b[^\w]{0,3}$"
        r"|[(（][^)）]{0,40}\b(?:awaits?|waits?[ ]for|waiting[ ]for|waiting[ ]on|pending|needs?|requires?)[ ](?:the[ ]|an?[ ])*(?:[\w-]+[ ])?(?:owner|stakeholder|client|customer|legal|management|product|security)"
        r"(?:'s|’s|s)?[ ](?:decision|approval|sign-?off)|[(（](?:等待|需要?|待)(?:负责人|业主|客户|领导|老板)(?:的)?(?:决定|批准|确认|审批)"
        r"|^(?:获得|取得|等待|申请|請求)[^，。；]{0,16}(?:批准|审批|審批|同意|签字|簽核|确认)|^(?:审批|審批|批准|签字|簽核)"
        r"|(?:代表|責任者|オーナー|顧客|上長|クライアント|管理者|PO)(?:様)?(?:の)?(?:判断|承認(?!待ち|済|一覧|機能|フロー|依頼)|決裁|決定|確認を得|の合意)|承認を(?:得る|もらう|依頼)"
        r"|(?:대표|담당자|고객|책임자|오너|팀장)(?:의)?[ ]?(?:승인|결정|결재|확인[ ]?필요)|승인(?:을)?[ ]?받기?"
        r"|^(?:freigabe|genehmigung)\b|\b(?:freigabe|genehmigung)[ ](?:einholen|durch|von)\b|^(?:obtenir|demander)[^.;]{0,30}(?:approbation|accord)\b"
        r"|^(?:obtener|solicitar|pedir)[^.;]{0,30}aprobación|^(?:obter|solicitar|pedir)[^.;]{0,30}aprovação|^(?:получить|запросить|согласовать)\b[^.;]{0,40}(?:одобрени|утвержд|согласи|согласован)"
    ),
    "deploy": (
        rf"^(?:(?:re-?)?deploy|roll ?out|promote)\b{_NEVER_AFTER_DEPLOY}(?![ ]?(?:key|ment)\b)"
        rf"|^(?:release|publish)[ ](?:the[ ]|a[ ]|new[ ])*(?:v\d|version|package|release|app|image|artifacts?)\b|^go[ -]live\b"
        r"|^(?:submit|upload)\b[^.;]{0,60}\b(?:app[ ]?store|play[ ]?store|google[ ]play|test ?flight)\b|^(?:create|draft|cut)[ ](?:an?[ ]|the[ ])*(?:github|gitlab)[ ]release\b"
        rf"|^provision\b(?!.{{0,200}}\b(?:terraform|pulumi|cdk|cloudformation|ansible|helm)\b)[^.;]{{0,80}}\b(?:on|in)[ ]{_PLACES}\b|^publicar\b(?![ ](?:event|mensag|mensaj))[^.;]{{0,40}}\b(?:play[ ]store|app[ ]store|npm|produ[cç][cç]?i?[oóã]o?n?)\b"
        r"|^(?:提交|上传|发布)[^，。；]{0,12}(?:app[ ]?store|应用商店|应用市场|微信(?:公众平台|开放平台|小程序(?:平台|后台|审核)|审核))"
        r"|^(?:部署|上线|上線|发布版本|發布版本)|^(?:deployen|bereitstellen|ausrollen|задеплоить)\b"
        r"|^(?:déployer|desplegar|implantar|развернуть)\b[^.;]{0,40}\b(?:prod\w*|staging|servidor|serveur|сервер\w*|прод\w*|стейдж\w*)\b"
        r"|(?:デプロイ|リリース)(?:する|を実施|作業|$)|배포(?:한다|하기|합니다|[ ]?진행)?[ ]?$"
    ),
    "environment": (
        rf"^{_LOOKS}\b[^;]*\b(?P<w>(?:on|against|at|in(?=[ ](?:the[ ])?(?:staging|dev|test|uat|live)))[ ](?:the[ ]|an?[ ]|our[ ]|real[ ]|live[ ]|actual[ ]|deployed[ ])*"
        r"(?:staging|production|prod|pre-?prod|devnet|testnet|mainnet|uat|live))\b(?![ -](?:builds?|bundles?|mode|code|env\b|config\w*|dependenc\w*|quality|ready))"
        r"|^monitor\b[^;]*\b(?:(?:in|on)[ ](?:the[ ])?(?:staging|production|prod)|for[ ](?:an?|one|two|\d+)[ -]?(?:h|hours?|days?|weeks?))\b"
        rf"|^{_LOOKS}\b[^;]*\b(?P<seen>(?:sentry|datadog|new[ ]relic|posthog|google[ ]analytics|cloudwatch|firebase|stripe|supabase|vercel)(?:'s)?[ ](?:dashboard|console|portal))\b"
        rf"|^{_LOOKS}\b[^;]*\b(?P<net>devnet|testnet|mainnet|vms?|virtual machines?|bare[- ]metal)\b"
        r"|(?:在|于)[^，。；]{0,8}(?:生产|生產|预发|线上|正式|staging)(?:环境|環境|服务器)?[^，。；]{0,12}(?:验证|驗證|测试|測試|检查|确认)"
        r"|(?:本番|ステージング)(?:環境)?で[^。]{0,20}(?:確認|検証|テスト)|(?:운영|스테이징|프로덕션)(?:[ ]?환경)?에서[^.]{0,20}(?:확인|검증|테스트)"
    ),
    "device": (
        r"\b(?:on|with|using|from)[ ](?:the[ ]|an?[ ]|two[ ]|several[ ]|multiple[ ]|\d[ ])*(?:physical|real|actual)[ ](?:[\w/-]+[ ]){0,2}?(?:devices?|hardware|phones?|tablets?|printers?|handsets?|iphones?|ipads?)\b"
        rf"|^{_LOOKS}\b[^;]*\b(?:on|with)[ ](?:the[ ]|an?[ ]|my[ ]|your[ ])*(?P<w>iphone|ipad|android (?:phone|device|tablet)|ios device|mobile devices?|raspberry pi|safari[ ]ios|ios[ ]safari|mobile[ ]safari)\b"
        r"|^(?:flash|plug[ ]in|solder)\b[^.;]{0,40}\b(?:devices?|boards?|firmware|sensors?|hardware)\b"
        r"|真机|真機|实机|實機|实体设备|实体机|実機|実端末|실기기|실제[ ]?(?:기기|단말|디바이스)|\b(?:echte[nms]?|physische[nms]?)[ ](?:gerät|geräte|hardware)\w*"
        r"|\b(?:appareils?|dispositivos?)[ ](?:réels?|physiques?|físicos?|reales|reais|real)\b|на[ ](?:реальном|физическом)[ ]устройстве"
    ),
    "assistive technology": (
        rf"^{_LOOKS}\b[^;]*\b(?P<w>screen[ -]?readers?|voiceover|nvda|talkback|jaws)\b"
        r"|^(?:voiceover|nvda|talkback|jaws|screen[ -]?reader)\b[^.;]{0,30}\b(?:walkthrough|test(?:s|ing)?|pass|audit|check|review)\b"
        r"|(?:屏幕阅读器|螢幕閱讀器|读屏)[^，。；]{0,10}(?:测试|測試|验证|驗證)"
        r"|スクリーンリーダー[^。]{0,12}(?:確認|検証|テスト)|(?:스크린[ ]?리더)[^.]{0,12}(?:확인|검증|테스트)"
    ),
    "credentials": (
        r"^(?:obtain|acquire|procure|apply for|register for|sign up for|request(?=[ ](?:an?[ ]|the[ ])*(?:api|credentials|certificates)))\b[^.;]{0,60}"
        r"\b(?:api[ -]?keys?|credentials?|certificates?|licen[cs]es?(?:[ ]keys?)?|accounts?)\b"
        r"|^(?:purchase|buy)[ ](?:an?[ ]|the[ ]|[\w.-]+[ ]){0,3}(?:domain|licen[cs]e|certificate|hardware|device)s?\b(?![ ](?:page|flow|screen|endpoint|button))"
        r"|^(?:add|set|set up|configure|store|create|update|put)\b[^.;]{0,60}\b(?:github[ ](?:actions[ ])?secrets?|repository[ ]secrets?|1password|secrets? manager|(?:in|on|to|at|via|through|from)[ ](?:the[ ])?(?:stripe|firebase|google|aws|azure|vercel"
        r"|netlify|supabase|github|gitlab|cloudflare|auth0|apple|facebook|twilio|sendgrid|play|app store|developer)[ ](?:cloud[ ]|developer[ ])?(?:console|dashboard|portal))\b"
        r"|^create an? (?:[\w-]+[ ])?account[ ](?:at|with|on)[ ](?:https?:|[\w-]{1,60}\.(?:com|io|org|net|dev|app)\b)"
        r"|^(?:create|set[ ]up|open|register)[ ](?:an?[ ]|the[ ])*(?:stripe|firebase|google|aws|azure|vercel|netlify|supabase|cloudflare|auth0|apple|twilio|sendgrid|developer)"
        r"[ ](?:cloud[ ]|developer[ ])?account\b(?![ ](?:for[ ](?:each|every|new)|when|on)\b)"
        r"|^register\b[^.;]{0,40}\b(?:google|azure|apple|facebook|github|stripe|firebase)[ ](?:cloud[ ]|developer[ ])?(?:console|dashboard|portal)\b"
        r"|^(?:add|set|configure|update|put)\b[^.;]{0,60}\b(?:(?:vercel|netlify|heroku|railway|render|cloudflare|supabase)[ ](?:project[ ])?(?:env(?:ironment)?[ ]var(?:iable)?s?|secrets)"
        r"|(?:vercel|netlify|heroku|cloudflare|supabase)[ ](?:project[ ])?settings)\b"
        r"|^rotate[ ](?:the[ ]|all[ ])*(?:production|staging|exposed|leaked|compromised)[ ](?:[\w-]+[ ]){0,2}(?:credentials?|secrets?|keys?|passwords?)\b(?![ ](?:via|through|using|every|on|when)\b)"
        r"|^rotate\b[^.;]{0,60}\b(?:credentials?|secrets?|keys?|passwords?)(?:/\w+)?[ ](?:at[ ]http|in[ ](?:the[ ])?[\w-]+[ ](?:dashboard|console|portal))"
        r"|^(?:申请|申請|获取|取得|购买)[^，。；]{0,16}(?:密钥|金鑰|证书|凭证|账户|账号|域名|api key)|(?:APIキー|アカウント|証明書|認証情報)を?(?:取得|発行|申請)"
        r"|(?:API[ ]?키|계정|인증서)(?:를|을)?[ ]?(?:발급|신청|구매)|^(?:beschaffen|beantragen)\b|^(?:obtenir|obtener|obter|получить)[^.;]{0,30}(?:clés?[ ](?:d['’])?api|claves?[ ](?:de[ ](?:la[ ])?)?api|chaves?[ ](?:d[ae][ ])?api|api[- ]ключ|ключ\w*[ ]api|credencia|credentials)"
    ),
    "recording": (
        r"^(?:record|film|shoot|produce)[ ](?:an?[ ]|the[ ]|[\w-]+[ ]){0,3}?(?:demo|screencast|screen[ -]?recording|walkthrough|video)(?=$|[ ](?:of|for|showing|demo|and|with|walkthrough)\b|[.,:;()–—-])"
        r"|^(?:take|capture|prepare)\b[^.;]{0,30}\bscreenshots?[ ]for[ ](?:the[ ])?(?:app[ ]store|play[ ]store|store|release|listing)\b"
        r"|^(?:录制|錄製)|(?:動画|デモ)を?(?:録画|撮影|収録)"
        r"|(?:영상|데모)(?:을|를)?[ ]?(?:녹화|촬영)|^(?:grabar|gravar|enregistrer)[^.;]{0,30}(?:v[ií]deo|démo)"
    ),
    "people": (
        r"\bstakeholders?\b[^.;]{0,20}\b(?:review|demo|feedback|meeting|acceptance|walkthrough)|^(?:present|demo|discuss|hold|meet)\b[^.;]{0,60}\b(?:with|to)[ ]"
        r"(?:the[ ]|our[ ])*(?:stakeholders?|team|clients?|product owner|po|legal|management|designers?|security team)\b"
        r"|^(?:conduct|run|perform|hold|organi[sz]e|schedule)\b[^.;]{0,40}\b(?:user[ ](?:testing|tests?|interviews?|acceptance|research)|usability[ ](?:test\w*|sessions?|study)|interviews?|workshop|training session)\b"
        r"|^team[ ]review\b|^(?:notify|inform|brief)[ ](?:the[ ]|all[ ])*stakeholders?\b(?![ ](?:when\w*|through|via|by|if|on)\b)|\b(?:by|with|from|ask|have)[ ](?:an?[ ]|the[ ])?native[ ]speakers?\b|^homologar[ ](?:com|con)\b"
        r"|^announce[ ](?:the[ ])?(?:release|launch|deprecation|migration)\b|^announce\b[^.;]{0,60}\b(?:in|on|via)[ ](?:slack|discord|twitter|teams|linkedin|social[ ]media)\b"
        r"|^(?:collect|gather)\b[^.;]{0,30}\bfeedback[ ]from[ ](?:\d|beta|early|pilot|real|stakeholders)(?![^.;]{0,60}\b(?:via|through|using)\b)"
        r"|^(?:recruit|interview)\b[^.;]{0,30}\b(?:users?|participants?|testers?|customers?)\b|^train[ ](?:the[ ])?(?:staff|support|team|operators)\b"
        r"|^(?:组织|安排|召开)[^，。；]{0,12}(?:评审|会议|用户测试|培训)|ユーザーテストを実施|(?:사용자|고객)[ ]?(?:테스트|인터뷰)(?:를|을)?[ ]?(?:진행|실시)"
    ),
}
_FIRM = {kind: lazy_pattern(pattern, re.IGNORECASE) for kind, pattern in _UNCONDITIONAL.items()}
_SOFT = {kind: lazy_pattern(pattern, re.IGNORECASE) for kind, pattern in _CONDITIONAL.items()}

_SUITES = (
    r"(?:tests?|suites?|pytest|jest|vitest|playwright|cypress|cargo|lint(?:er|ers|ing)?|eslint|ruff|mypy|tsc|type[ -]?checks?|type[ -]?checking|quickstart(?:\.md)?|validations?"
    r"|verifications?|benchmarks?|e2e|checks?|smoke|acceptance|coverage|build|audit|lighthouse|scenarios?|checklists?|regressions?|analy[sz]e|analyzer|analysis|ci)"
)
_VERIFY = lazy_pattern(
    r"^(?:(?:verify|verifies|verification|double-check|re-?verify)\b(?![ ](?:the[ ]|an?[ ])*(?:e-?mail|otp|phone|jwt|tokens?|webhooks?|signatures?|passwords?|identity|captcha)\b(?![^.;]*\b(?:works?|is|are|pass\w*"
    r"|correct\w*|properly|end-to-end)\b))"
    r"|confirm[ ](?:that|all|no|each|every|whether|it|both|existing|tests?|build|ci|`[^`]+`|[^.;]{0,60}\b(?:is|are|works?|passes|pass|renders?|matches|remains?|stays?|succeeds?|returns?|exists?)\b)"
    r"|(?:check|double check)[ ](?:that|whether)\b|make sure[ ]that\b"
    r"|validate[ ](?:that[ ](?:all|each|every)|all|quickstart|against|end|full|complete|final|everything|success|acceptance|performance|accessibility|manually|sc-|fr-|us\d|the[ ](?:implementation|feature"
    r"|quickstart|build|flow|scenarios?|story|complete|whole|entire))"
    rf"|(?:re-?)?(?:run|execute)\b[^;]*?\b{_SUITES}\b"
    rf"|(?:perform|conduct|carry out)[ ](?:an?[ ]|the[ ])?(?:(?:final|full|complete|end-to-end|e2e|cross-browser|load|security|accessibility|performance|integration|system|code)[ ])*(?:testing|tests|regression|smoke|qa|walkthrough|(?<=l[ ])(?:validation|verification|check))\b"
    r"|test[ ](?:that|with|on|in (?:an?[ ])?(?:browser|chrome|safari|firefox)|manually|end-to-end|all|each|every|across)\b"
    r"|(?:smoke|sanity|load|stress)[ -](?:test|check)\b|measure\b|cross-browser[ ]test(?:s|ing)\b|(?:final|visual[ ]regression|mobile[ ]responsive)[ ](?:[\w-]+[ ])?testing\b"
    r"|(?:ensure|make sure)\b[^.;]{0,60}\b(?:tests?|suite|build|lint|coverage|checks?|ci)\b[^.;]{0,40}\b(?:pass\w*|green|succeed\w*|clean)\b"
    r"|(?:final|full|end-to-end|e2e|quickstart(?:\.md)?)`?[ ](?:validation|verification|check)\b"
    r"|(?:验证|驗證)(?!码|碼|器|规则|规约|邮箱|手机|逻辑|中间件|函数|服务|模块)|(?:确认|確認)(?!码|按钮|密码|对话框|弹窗|框|订单|收货|支付|页)|核对|核對|校验(?!器|规则|逻辑|函数)|检查(?!点|器|规则)|檢查"
    r"|(?:运行|執行|执行|跑)[^，。；]{0,24}(?:测试|測試|验收|驗收|验证|驗證|quickstart|检查|檢查|构建|lint|基准)"
    r"|verificar|comprobar|confirmar|(?:ejecutar|executar|rodar|correr)\b[^;]*?\b(?:pruebas|tests?|testes|suite|suíte|validaci|lint)|checar"
    r"|vérifier|confirmer|(?:exécuter|lancer)\b[^;]*?\b(?:tests?|suite|lint|validation)"
    r"|verifiziere\w*|prüfe\b|überprüfe\b|teste\b|проверить|убедиться|протестировать|запустить[^;]*(?:тест|провер|линт)|verificare|controllare|eseguire[^;]*(?:test|suite)"
    r"|voer\b[^;]*\btests?\b[^;]*\buit\b|controleer\b|uruchom\b[^;]*\btest|sprawdź\b|chạy\b[^;]*\btest|kiểm tra\b)"
    r"|(?:を|こと|か)(?:実機で|手元で)?(?:確認|検証|チェック)(?:する|すること)?[。）)]?$|テスト(?:を)?実行(?:する)?[。）)]?$"
    r"|(?:[이가을를지]|여부|통과|동작|정상|결과|fail)[ ]?(?:확인|검증|점검)(?:한다|하기|합니다|[ ]?수행)?[.)]?$|테스트[ ]?(?:실행|통과[ ]?확인)(?:한다|하기)?[.)]?$"
    r"|\b(?:prüfen|überprüfen|verifizieren|testen|ausführen|test\w*[ ]çalıştır)\W*$",
    re.IGNORECASE,
)
_ALL_VERBS = (CHANGES, MAKES, ADDS, OTHERS)
_CHINESE = unspaced(*_ALL_VERBS, languages=("Chinese",))
_JAPANESE = unspaced(*_ALL_VERBS, languages=("Japanese",))
_KOREAN = unspaced(*_ALL_VERBS, languages=("Korean",))
_CHANGES = lazy_pattern(
    rf"(?:\b(?:and|then|to)|[,;&—–(.+]|->|→)[ ]?(?:then[ ]|also[ ]|immediately[ ])?(?:{english(CHANGES)}|address|document|record|write|save"
    r"|clean up|format|implement|regenerate|generate|commit)\b|^(?:run|execute)\b[^;]*\bformat"
    r"|\band[ ](?:add|create|remove|delete)[ ](?:the[ ])?(?:missing|any|what|where|those)\b"
    r"|[,;—–][ ](?:add|create|remove|delete|rename|install|configure)\b|\b(?:fixing|updating|resolving|addressing|documenting|recording)\b"
    rf"|(?:[，,；;。]|并|並|然后|然後|再|同时|同時)[^，,；;。]{{0,8}}?(?:{_CHINESE})|[与與及和](?:修复|修復|修正)"
    rf"|(?:{_JAPANESE})(?:[しき]、|して(?!い)|いて|後|した(?:上|うえ|後)|[、。・→＋+]|と(?:動作)?(?:を)?(?:確認|検証))"
    rf"|(?:{_KOREAN})(?:하고|한[ ]?(?:뒤|후)|[ ]?후|해서|하여|[,.→+]|[ ]?및[ ](?:동작[ ]?)?(?:확인|검증|점검|테스트))"
    rf"|\b(?:{spaced(CHANGES, MAKES, ADDS, OTHERS)})\b",
    re.IGNORECASE,
)
_CLAIM = lazy_pattern(
    r"\b(?:can|able to)\b(?![^.;]{0,200}[.;—–])|^(?:verificar|comprobar|confirmar|vérifier|confirmer|prüfe|überprüfe|verifiziere|verificare|controllare|проверить|убедиться),?"
    r"[ ](?:dass|ob|que|si|se|che|что|ли)\b",
    re.IGNORECASE,
)
"""What is said of the thing that is looked at; "create and update" in it are its verbs, not the task's."""
_REPAIRS = lazy_pattern(
    r"(?:\b(?:and|then|und|y|e|et|и)|[,;.—–])[ ](?:then[ ])?(?:address|correct|document|fix|record|repair|resolve|(?:update|write|add)[ ](?:the[ ])?(?:docs|documentation|readme|tests?\b|missing)"
    r"|beheb|korrigier|dokumentier|corregir|arreglar|documentar|corrigir|corriger|documenter|correggere|исправ|описать)",
    re.IGNORECASE,
)
_SET_UP = lazy_pattern(
    r"[ ](?:config\w*|set-?up|framework|infrastructure|harness|tool\w*|pipeline|script)\b", re.IGNORECASE
)
"""What makes "visual regression testing" work."""
_LABELS = lazy_pattern(r"^(?:\W{0,4}\[[\w &/-]{1,24}\])*[^\w`]*")
_SEARCHING = lazy_pattern(
    r"\b(?:spikes?|research|investigat\w+|proof[ -]of[ -]concept|poc|feasibility|exploration|recherche|investigación|pesquisa|machbarkeit\w*)\b|调研|調研|可行性|预研|技术验证|调查|調査|スパイク|조사|리서치|스파이크",
    re.IGNORECASE,
)
_DOUBTFUL = lazy_pattern(r"(?:validate|check|review|audit|inspect)\b|评审|审查|检查", re.IGNORECASE)
"""Words that ask for a look where a feature is finished, and elsewhere may ask for code."""
_TEST = lazy_pattern(r"test\b|测试|測試|테스트|テスト", re.IGNORECASE)
"""A word that may ask for tests anywhere: "test the login flow" is a look there, "test exit codes" is work."""
_CLOSING = lazy_pattern(
    r"\b(?:polish(?![ ](?:languages?|locali[sz]ation|translations?)\b)|cross-cutting|qa|final[ ](?:checks?|tests?|testing)|sign-?off|pulido|polimento|finitions?|abnahme)\b"
    r"|\b(?:user|final)[ ]acceptance\b|\bacceptance[ ](?:test|criteria|check)|(?:^|[:：—–&/-][ ]*)acceptance\b"
    r"|收尾|完善|验收|驗收|仕上げ|受け入れ|마무리|финальн\w{1,4}[ ](?:проверк|тест)"
    r"|(?:^|[:：—–/-][ ]*|(?:test\w*|polish|docs|documentation|quality|cleanup|hardening|optimi[sz]ation|deployment|integration)[ ]*(?:[&+,/]|and\b)[ ]*"
    r"|\b(?:final|full|end-to-end|e2e|quickstart|integration|system|overall|manual|feature|regression|performance|deployment|success criteria)[ ])"
    r"(?:validation|verification|release)\b(?![ ](?:rules?|services?|flows?|logic|calendar|notes?|engine|layer|pipeline|middleware|endpoints?|pages?"
    r"|errors?|messages?|schemas?|framework|codes?|e-?mails?|status|system|models?|api|utilit\w+|utils?|helpers?|modules?|hooks?|components?|planning|ui"
    r"|(?:&|and)[ ]errors?)\b)"
    r"|(?:^|[:：—–-][ ]*)(?:validierung|überprüfung|validaci[oó]n|verificaci[oó]n|validação|verificação|vérification|проверка)\W*$"
    r"|(?:^|[:：—–・/-][ ]*|最终|最終|总体|整体|全体|総合|回归|集成|综合|動作|(?:测试|測試|集成|优化|文档|部署|テスト|結合|統合|테스트|통합)[ ]?(?:与|與|和|及|、|と|및)[ ]?|(?:최종|통합|전체|동작)[ ]?)"
    r"(?:验证|驗證|検証|검증)(?!码|碼|器|规则|逻辑|服务|模块|邮箱|手机)",
    re.IGNORECASE,
)
"""Last checks. "Input validation" and "Release calendar" name what is built."""
_STORY = lazy_pattern(r"\buser[ ]stor(?:y|ies)\b|\bUS[ -]?\d|用户故事|ユーザーストーリー", re.IGNORECASE)
"""In the title of a story, such words name what is built: "User Story 2 - Email Verification"."""
_CHECK = lazy_pattern(
    r"\b(?:suites?|tests|test[ ](?:runs?|commands?|plan|suite)|(?:npm|pnpm|yarn|bun|go|cargo|dotnet|mvn|gradle|flutter|make)[ ](?:run[ ])?(?:test|check|lint)"
    r"|pytest|jest|vitest|playwright|cypress|lint(?:er|ers|ing)?|eslint|ruff|mypy|tsc|type[ -]?check(?:s|ing)?|quickstart(?:\.md)?|e2e"
    r"|end-to-end(?![ ]encrypt)|smoke|regressions?|acceptance[ ](?:criteria|scenarios?|tests?)|scenarios?|success criteria|user[ ]stor(?:y|ies)|us\d+|(?:sc|fr)-\d+"
    r"|coverage|benchmarks?|lighthouse|(?:sanity|load|stress)[ -](?:tests?|checks?)|builds?(?![ -](?:number|arg|id|target|option|config|tag|name|type|key)\w*)"
    r"|(?:final|full)[ ](?:validation|verification|check)|manually(?![ ]\w+ed\b)|in[ ](?:the[ ]|an?[ ])?(?:browsers?|chrome|safari|firefox)"
    r"|flows?(?=\W*$|[ ](?:works?|completes?|by|on|with)\b)"
    r"|work(?:s|ed|ing)?[ ](?:as|correctly|properly|together|with|on|in|across|offline|without|for)|works?(?=\W*$|[ ]?[,.;:(—–])"
    r"|pass(?:es)?(?=\W*$|[ ]?[,.;:(—–]|[ ](?:with|on|in|after|without|by|for)\b)|(?:is|are|all)[ ]passing|green|succeeds?|correctly|properly|as expected"
    r"|loads|renders|displays|no (?:errors?|warnings?)|(?:servers?|app|application|backend|frontend|services?|containers?)[ ](?:can[ ])?(?:starts?|runs?|compiles?|boots?|responds?)(?![ ]only\b))\b"
    r"|\btest(?:y|ów|leri|ler)\b|\btất cả test\b|流程|环境|環境|测试|測試|构建|正常|通过|正确|可用|验收|驗收|故事|基准"
    r"|こと|動作|表示|テスト|ビルド|테스트|빌드|통과|동작|정상|결과|표시|흐름|되는지|\bfail\b"
    r"|\b(?:funcion\w*|fonctionn\w*|flu[jx]o|flusso|parcours|rendu|correctamente|corretamente|correctement|pruebas|testes|pasan?|passam?|passent|ablauf"
    r"|funktionier\w*|korrekt|funziona\w*)\b|работ|проход|тест|сборк|корректн|сценари",
    re.IGNORECASE,
)
"""Checks, and what comes out of one; what a task outside of the last phases has to name to be a look only."""
_REPEATED = lazy_pattern(
    r"\bevery[ ](?:\w+[ ])?(?:second|minute|hour|day|night|week|request|time)s?\b|\b(?:whenever|periodically|hourly|nightly|daily)\b|\bhealth[ -]?checks?\b",
    re.IGNORECASE,
)
"""Words of what a program does again and again: code for it is asked for."""
_IN_A_FILE = lazy_pattern(r"\bin[ ]`?[\w./-]{1,200}\.\w{1,10}\b")
"""A place, whose name says nothing of checks: `tests/test_git.py`."""
_UNLESS_IN_A_FILE = frozenset({"git", "deploy"})
_IN = lazy_pattern(r"\b(?:in|into|inside|within|at|em|en|dans)[ ](?:the[ ])?$|在[ ]?$", re.IGNORECASE)
_SET_OFF = lazy_pattern(r"(?:[(（:：][ ]?|[ ][—–-][ ])$")
_IN_BEHIND = lazy_pattern(r"[ ]?(?:に|で|にて|中|里|内|에서|에)")
_ONLY_GIT = lazy_pattern(
    r"(?:commit|push)[ ](?:and[ ](?:push|commit)[ ])?(?:all|everything|any|final|initial|first|remaining)\b"
    rf"|.*\bbranch[ ](?:is[ ])?{_A_BRANCH}",
    re.IGNORECASE,
)
"""Words of what only git is asked to do, whatever file is named."""
_ONE_BRANCH = lazy_pattern(rf"[ ](?:name[ ])?(?:is|equals)[ ]{_A_BRANCH}", re.IGNORECASE)
_THEN = lazy_pattern(
    r"(?:[;,.]|\band|\bthen)[ ](?:then[ ])?(?:create|add|write|update|implement|configure|set up|install|initiali[sz]e|scaffold)\b",
    re.IGNORECASE,
)
_WITHOUT_SPACES = lazy_pattern(r"[\u3040-\u30ff\u4e00-\u9fff\uac00-\ud7af]")
_BUILT = lazy_pattern(
    r"[ ](?:(?!(?:the|an?|of|for|to|in|on|at|by|with|from|and|or|before|after)\b)[\w-]{1,30}[ ]){0,2}(?:actions?|apis?|badges?|banners?|buttons?|cards?|components?"
    r"|dialogs?|endpoints?|fields?|filters?|flows?|forms?|functions?|handlers?|helpers?|hooks?|jobs?|layouts?|links?|linking|listings?|lists?"
    r"|login|logic|menus?|middlewares?|modals?|models?|modules?|pages?|panels?|parsers?|routes?|screens?|sections?|selectors?|services?|tabs?"
    r"|utils?|utilities|views?|widgets?|wrappers?)\b(?![ ](?:in|on)[ ](?:staging|production)\b)",
    re.IGNORECASE,
)
"""What follows words that only name what is built: "Stripe account" in "create the Stripe account onboarding flow"."""
_COMMITS = lazy_pattern(r"(?:commit|push)\b", re.IGNORECASE)
_ITS_OBJECT = lazy_pattern(r"[ ]?(?:made[ ])?(?:in|to|of|for|at|from)?[ ]?(?:the[ ])?", re.IGNORECASE)
"""What stands between "commit changes" and the file whose changes are meant."""
_DELIVERS = lazy_pattern(r"(?:re-?)?deploy|release|roll|promote", re.IGNORECASE)
_PROSE = (".adoc", ".md", ".mdx", ".rst", ".txt")
_NEAR = 20
"""Characters before a path that are looked at."""
_LONGEST = 60
"""Characters of a match that are shown."""


def who(reason: Reason) -> str:
    """Return who does a task that is kept from agents for this reason."""
    return WHO.get(reason.kind, "a person")


def kinds_in(text: str) -> tuple[Reason, ...]:
    """Name the kind of person's task that a text is, with the words; empty for an agent's."""
    bare = _LABELS.sub("", text[:LOOKED_AT], count=1)
    for kind, pattern in _FIRM.items():
        if found := pattern.search(bare):
            if _BUILT.match(bare, found.end()):
                return ()
            if kind in _UNLESS_IN_A_FILE and (_works_in_a_file(bare, found) or _goes_on_in_a_file(text, bare, found)):
                return ()
            return (Reason(kind, _shown(found[0])),)
    for kind, pattern in _SOFT.items():
        if found := pattern.search(bare):
            words = next((said for said in found.groupdict().values() if said), found[0])
            return () if _BUILT.match(bare, found.end()) or _changes_a_file(text) else (Reason(kind, _shown(words)),)
    return ()


def looks_only(text: str, *, closing: bool = False) -> tuple[Reason, ...]:
    """Return the reason of a task that changes nothing and only looks whether something holds; else none.

    `closing` says that it stands among the last checks of a feature, where "validate" and "test" mean a look. Elsewhere it
    has to name a check or what comes out of one: "verify ownership" asks for code.
    """
    bare = _LABELS.sub("", text[:LOOKED_AT], count=1)
    found = _VERIFY.search(bare) or (_doubtful(bare) if closing else None)
    if found is not None and not closing and not _is_check(bare):
        return ()
    if found is None or _SET_UP.match(bare, found.end()) or _asks_for_a_change(bare) or _changes_a_file(text):
        return ()
    return (Reason(VERIFY, _shown(found[0])),)


def _asks_for_a_change(bare: str) -> bool:
    return (_REPAIRS if _CLAIM.search(bare) else _CHANGES).search(bare) is not None


def _doubtful(bare: str) -> re.Match[str] | None:
    test = _TEST.match(bare)
    return _DOUBTFUL.match(bare) or (test if test and _CHECK.search(bare, test.end()) else None)


def is_search(title: str) -> bool:
    """Return True for a heading of a spike or of research: finding something out is the work there."""
    return _SEARCHING.search(title) is not None


def is_closing(title: str) -> bool:
    """Return True for a heading of the last checks: polish, validation, release."""
    return _CLOSING.search(title) is not None and _STORY.search(title) is None


def _works_in_a_file(bare: str, found: re.Match[str]) -> bool:
    """Return True if a text says in which file of code its work is: "publish events to AWS SNS in src/publisher.py"."""
    if _ONLY_GIT.match(found[0]) or _ONE_BRANCH.match(bare, found.end()):
        return False
    unspaced = _WITHOUT_SPACES.search(found[0]) is not None
    for mention in mentions_in(bare):
        if mention.command or is_folder(mention.path) or mention.path.endswith(_PROSE):
            continue
        if _COMMITS.match(found[0]) and _ITS_OBJECT.fullmatch(bare, found.end(), max(mention.start, found.end())):
            continue
        before = bare[max(mention.start - _NEAR, 0) : mention.start]
        set_off = _SET_OFF.search(before) is not None and not _DELIVERS.match(found[0])
        if unspaced or set_off or _IN.search(before) or _IN_BEHIND.match(bare, mention.end):
            return True
    return False


def _goes_on_in_a_file(text: str, bare: str, found: re.Match[str]) -> bool:
    """Return True if a text asks for more than git: "confirm the branch; create src/app.py"."""
    return _THEN.search(bare, found.end()) is not None and _changes_a_file(text)


def _is_check(bare: str) -> bool:
    return _CHECK.search(_IN_A_FILE.sub("", bare)) is not None and _REPEATED.search(bare) is None


def _changes_a_file(text: str) -> bool:
    found = split(text)
    return any(path.rpartition("/")[2] not in DOCUMENTS for path in found.targets)


def _shown(words: str) -> str:
    short = " ".join(words.split())
    short = short.strip(" *")
    return short if len(short) <= _LONGEST else f"{short[:_LONGEST]}..."
