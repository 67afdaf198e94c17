# The jobs of scripts/demo, from the texts of tests/data/demo/texts.json:
#	jq -c --argjson count 300 --argjson live false -f scripts/demo-jobs.jq texts.json
# Words in double brackets ask the simulator to misbehave: [[sim:refusal*1]] refuses once.

def schema(properties):
  {type: "json_schema", schema: {type: "object", additionalProperties: false, required: (properties | keys_unsorted), properties: properties}};

def kinds($texts): [
  {task: "classify", unit: "support", feature: "inbox", texts: $texts.tickets,
   say: "Sort this message of a customer. Answer with JSON only.",
   output: schema({category: {type: "string", enum: ["billing", "bug", "question", "praise", "other"]},
                   urgency: {type: "integer", minimum: 1, maximum: 5},
                   reply_needed: {type: "boolean"}})},
  {task: "extract", unit: "finance", feature: "invoices", texts: $texts.invoices,
   say: "Read the fields of this invoice. Answer with JSON only.",
   output: schema({supplier: {type: "string", minLength: 1, maxLength: 80},
                   number: {type: "string", minLength: 1, maxLength: 40},
                   total: {type: "number", minimum: 0},
                   currency: {type: "string", pattern: "^[A-Z]{3}$"},
                   due: {type: ["string", "null"], maxLength: 20}})},
  {task: "summarize", unit: "research", feature: "reports", texts: $texts.reports,
   say: "Summarize the report in two sentences.", output: {type: "text"}}
];

# Every twelfth job of a kind meets one of these.
def troubles: ["[[sim:malformed*1]]", "[[sim:429_seconds*1]]", "[[sim:refusal*1]]", "[[sim:500*1]]", "[[sim:low_confidence*1]]",
  "[[sim:malformed*3]]", "[[sim:reset_accepted*1]]", "[[sim:length*1]]", "[[sim:refusal]]"];

. as $texts | kinds($texts) as $kinds | range($count) | . as $i
| $kinds[$i % 3] as $kind
| ((($i / 3) | floor)) as $n
| (if $live or $n % 4 != 1 then "" else " " + troubles[(($n / 4) | floor) % (troubles | length)] end) as $trouble
| {version: 1, idempotency_key: "demo-\($i)", business_unit: $kind.unit, feature: $kind.feature, environment: "demo",
   task: $kind.task,
   prompt: {name: "demo-\($kind.task)", version: "1", messages: [
     {role: "system", content: [{type: "text", text: $kind.say, mark: "instructions", stable: true}]},
     {role: "user", content: [{type: "text", text: "Reference \($i + 1)\n\($kind.texts[$n % ($kind.texts | length)])\($trouble)", mark: "input"}]}]},
   output: $kind.output, metadata: {number: ($i + 1)}}
