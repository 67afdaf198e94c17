// A batch by the official OpenAI package for Node; the environment says where, and with which key.
import assert from "node:assert";
import fs from "node:fs";
import path from "node:path";
import OpenAI, { toFile } from "openai";
import { VERSION } from "openai/version";

const client = new OpenAI();
const foreign = new OpenAI({ apiKey: process.env.FOREIGN_KEY });
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

function request(custom_id, more = {}) {
  const body = { model: "gpt-4o-mini", messages: [{ role: "user", content: `Is ${custom_id} spam?` }], ...more };
  return { custom_id, method: "POST", url: "/v1/chat/completions", body };
}

const text = (items) => items.map((item) => (typeof item === "string" ? item : JSON.stringify(item)) + "\n").join("");

async function upload(name, items) {
  const where = path.join(process.env.DIRECTORY, name);
  fs.writeFileSync(where, text(items));
  return client.files.create({ file: fs.createReadStream(where), purpose: "batch" });
}

const start = (file) => client.batches.create({
  input_file_id: file.id, endpoint: "/v1/chat/completions", completion_window: "24h", metadata: { feature: "nightly" },
});

async function wait(batch, status) {
  for (let tries = 0; batch.status !== status; tries++) {
    assert(tries < 300 && ["validating", "in_progress", "finalizing", "cancelling"].includes(batch.status), JSON.stringify(batch));
    await sleep(200);
    batch = await client.batches.retrieve(batch.id);
  }
  return batch;
}

async function all(pages) {
  const found = [];
  for await (const one of pages) found.push(one.id);
  return found;
}

const refused = (call, kind, words) => assert.rejects(call, (error) => error instanceof kind && error.message.includes(words));

const items = Array.from({ length: 20 }, (_, i) => request(`text-${i}`));
items.push(request("json", { response_format: { type: "json_object" }, max_completion_tokens: 100 }));
const file = await upload("input-node.jsonl", items);
assert.deepStrictEqual([file.object, file.purpose, file.filename], ["file", "batch", "input-node.jsonl"]);
assert.strictEqual(await (await client.files.content(file.id)).text(), text(items));

let batch = await start(file);
assert.strictEqual(batch.status, "validating");
batch = await wait(batch, "completed");
assert.deepStrictEqual(batch.request_counts, { total: 21, completed: 21, failed: 0 });
const output = (await (await client.files.content(batch.output_file_id)).text()).trim().split("\n").map((line) => JSON.parse(line));
assert.deepStrictEqual(output.map((line) => line.custom_id).sort(), items.map((item) => item.custom_id).sort());
for (const line of output) assert(line.response.body.choices[0].message.content.length > 0);
assert.strictEqual(typeof JSON.parse(output.find((line) => line.custom_id === "json").response.body.choices[0].message.content), "object");
console.log(`${output.length} lines answered; usage ${batch.usage.total_tokens} tokens`);

const listed = await all(client.files.list({ limit: 1 }));
assert(listed.includes(file.id) && listed.includes(batch.output_file_id));
assert.deepStrictEqual(await all(client.batches.list({ limit: 1 })), [batch.id]);

const bad = await wait(await start(await upload("bad-node.jsonl", [request("a"), "{", request("m", { model: "gpt-99" })])), "failed");
assert.deepStrictEqual(bad.errors.data.map((one) => [one.line, one.code]), [[2, "invalid_json_line"], [3, "model_not_found"]]);
await refused(async () => client.files.create({ file: await toFile(Buffer.from("{}"), "a.json"), purpose: "batch" }), OpenAI.BadRequestError, ".jsonl");
await refused(() => client.files.retrieve("file-nope"), OpenAI.NotFoundError, "No such File object");
await refused(() => new OpenAI({ apiKey: "sk-nothing" }).files.list(), OpenAI.AuthenticationError, "key");

const cancelled = await wait(await client.batches.cancel((await start(file)).id), "cancelled");
assert(cancelled.cancelled_at);

assert.deepStrictEqual(await all(foreign.files.list()), []);
await refused(() => foreign.batches.retrieve(batch.id), OpenAI.NotFoundError, "No batch");
await refused(() => foreign.files.delete(file.id), OpenAI.NotFoundError, "No such File");

assert((await client.files.delete(file.id)).deleted);
await refused(() => client.files.retrieve(file.id), OpenAI.NotFoundError, "No such File");
console.log(`openai ${VERSION}`);
