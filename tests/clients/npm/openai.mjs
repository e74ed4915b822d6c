// OpenAI's JavaScript SDK: one function for each scenario of the compatibility table.

import OpenAI from "openai";
import { zodTextFormat } from "openai/helpers/zod";
import { z } from "zod";

import { first, howMuch, model, run, second, url } from "./scenarios.mjs";

const client = new OpenAI({ baseURL: url, apiKey: process.env.TURNWIRE_TOKEN, maxRetries: 0 });

const add = {
  type: "function",
  name: "add",
  description: "Add two numbers.",
  strict: true,
  parameters: {
    type: "object",
    properties: { a: { type: "integer" }, b: { type: "integer" } },
    required: ["a", "b"],
    additionalProperties: false,
  },
};

async function until(id, status) {
  for (;;) {
    const response = await client.responses.retrieve(id);
    if (response.status === status) return response;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

async function collect(stream) {
  const events = [];
  for await (const event of stream) events.push(event);
  return events;
}

async function failure(promise) {
  try {
    await promise;
  } catch (error) {
    return { name: error.constructor.name, status: error.status, code: error.code };
  }
  return null;
}

await run({
  async create() {
    const response = await client.responses.create({ model, input: first });
    return { id: response.id, text: response.output_text, usage: response.usage };
  },

  async stream() {
    const stream = client.responses.stream({ model, input: first });
    const events = await collect(stream);
    const response = await stream.finalResponse();
    return {
      types: events.map((event) => event.type),
      numbers: events.map((event) => event.sequence_number),
      text: response.output_text,
    };
  },

  async structured() {
    const City = z.object({ name: z.string(), people: z.number() });
    const response = await client.responses.parse({
      model,
      input: first,
      text: { format: zodTextFormat(City, "city") },
    });
    return response.output_parsed;
  },

  async tools() {
    const asked = await client.responses.create({ model, input: howMuch, tools: [add] });
    const [call] = asked.output;
    const { a, b } = JSON.parse(call.arguments);
    const answered = await client.responses.create({
      model,
      previous_response_id: asked.id,
      input: [{ type: "function_call_output", call_id: call.call_id, output: String(a + b) }],
      tools: [add],
    });
    return { called: call.name, text: answered.output_text };
  },

  async chain() {
    const before = await client.responses.create({ model, input: first });
    const after = await client.responses.create({
      model,
      input: second,
      previous_response_id: before.id,
    });
    return { id: before.id, previous: after.previous_response_id, text: after.output_text };
  },

  async retrieve() {
    const created = await client.responses.create({ model, input: first });
    return { created, retrieved: await client.responses.retrieve(created.id) };
  },

  async resume() {
    const stream = await client.responses.create({ model, input: first, stream: true });
    const seen = [];
    for await (const event of stream) {
      seen.push(event);
      if (event.type === "response.output_text.delta") break;
    }
    const rest = await client.responses.retrieve(seen[0].response.id, {
      stream: true,
      starting_after: seen.at(-1).sequence_number,
    });
    const events = [...seen, ...(await collect(rest))];
    return {
      numbers: events.map((event) => event.sequence_number),
      text: events.at(-1).response.output[0].content[0].text,
    };
  },

  async remove() {
    const created = await client.responses.create({ model, input: first });
    await client.responses.delete(created.id);
    return failure(client.responses.retrieve(created.id));
  },

  async listing() {
    const input = [
      { role: "user", content: first },
      { role: "assistant", content: "Paris." },
      { role: "user", content: second },
    ];
    const created = await client.responses.create({ model, input });
    const listed = client.responses.inputItems.list(created.id, { limit: 2, order: "asc" });
    return (await collect(listed)).map((item) => item.content[0].text);
  },

  async background() {
    let response = await client.responses.create({ model, input: first, background: true });
    const statuses = [response.status];
    while (["queued", "in_progress"].includes(response.status)) {
      response = await client.responses.retrieve(response.id);
      if (response.status !== statuses.at(-1)) statuses.push(response.status);
    }
    return { statuses, text: response.output_text };
  },

  async joined() {
    const body = { model, input: first, background: true, stream: true };
    const stream = await client.responses.create(body);
    const seen = [];
    for await (const event of stream) {
      seen.push(event);
      if (event.type === "response.output_text.delta") break;
    }
    const rest = await client.responses.retrieve(seen[0].response.id, {
      stream: true,
      starting_after: seen.at(-1).sequence_number,
    });
    const events = [...seen, ...(await collect(rest))];
    return {
      numbers: events.map((event) => event.sequence_number),
      last: events.at(-1).type,
    };
  },

  async cancel() {
    const created = await client.responses.create({ model, input: first, background: true });
    await until(created.id, "in_progress");
    const cancelled = await client.responses.cancel(created.id);
    const again = await client.responses.cancel(created.id);
    return [cancelled.status, again.status];
  },

  async conversations() {
    const made = await client.conversations.create({ metadata: { topic: "France" } });
    const changed = await client.conversations.update(made.id, { metadata: { topic: "Spain" } });
    const item = { type: "message", role: "user", content: first };
    await client.conversations.items.create(made.id, { items: [item] });
    const listed = await collect(client.conversations.items.list(made.id));
    const deleted = await client.conversations.delete(made.id);
    return {
      topic: changed.metadata.topic,
      items: listed.map((each) => each.content[0].text),
      deleted: deleted.deleted,
      then: await failure(client.conversations.retrieve(made.id)),
    };
  },

  async conversation() {
    const { id } = await client.conversations.create();
    await client.responses.create({ model, input: first, conversation: id });
    const after = await client.responses.create({ model, input: second, conversation: { id } });
    return { text: after.output_text, same: after.conversation.id === id };
  },

  async tokens() {
    return client.responses.inputTokens.count({ model, input: first });
  },

  async error() {
    const previous = { model, input: first, previous_response_id: "resp_unknown" };
    return failure(client.responses.create(previous));
  },
});
