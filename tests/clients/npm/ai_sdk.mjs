// Vercel's AI SDK: one function for each scenario of the compatibility table.

import { createOpenAI } from "@ai-sdk/openai";
import { generateText, isStepCount, Output, streamText, tool } from "ai";
import { z } from "zod";

import { first, howMuch, model as name, run, second, url } from "./scenarios.mjs";

const provider = createOpenAI({ baseURL: url, apiKey: process.env.TURNWIRE_TOKEN });
const model = provider.responses(name);

const add = tool({
  description: "Add two numbers.",
  inputSchema: z.object({ a: z.number(), b: z.number() }),
  execute: async ({ a, b }) => a + b,
});

const idOf = (result) => result.providerMetadata.openai.responseId;

await run({
  async create() {
    const result = await generateText({ model, prompt: first });
    return { id: idOf(result), text: result.text, usage: result.usage, why: result.finishReason };
  },

  async stream() {
    const result = streamText({ model, prompt: first });
    const texts = [];
    for await (const text of result.textStream) texts.push(text);
    return { texts, usage: await result.usage, why: await result.finishReason };
  },

  async structured() {
    const schema = z.object({ name: z.string(), people: z.number() });
    const result = await generateText({ model, prompt: first, output: Output.object({ schema }) });
    return result.output;
  },

  async tools() {
    const result = await generateText({
      model,
      prompt: howMuch,
      tools: { add },
      stopWhen: isStepCount(3),
    });
    return { text: result.text, results: result.steps[0].toolResults.map((each) => each.output) };
  },

  async streamed_tools() {
    const result = streamText({
      model,
      prompt: howMuch,
      tools: { add },
      stopWhen: isStepCount(3),
    });
    const texts = [];
    for await (const text of result.textStream) texts.push(text);
    return texts;
  },

  async chain() {
    const before = await generateText({ model, prompt: first });
    const after = await generateText({
      model,
      prompt: second,
      providerOptions: { openai: { previousResponseId: idOf(before) } },
    });
    return after.text;
  },

  async conversation() {
    const headers = { Authorization: `Bearer ${process.env.TURNWIRE_TOKEN}` };
    const created = await fetch(`${url}/conversations`, { method: "POST", headers });
    const providerOptions = { openai: { conversation: (await created.json()).id } };
    await generateText({ model, prompt: first, providerOptions });
    return (await generateText({ model, prompt: second, providerOptions })).text;
  },

  async error() {
    try {
      await generateText({
        model,
        prompt: first,
        maxRetries: 0,
        providerOptions: { openai: { previousResponseId: "resp_unknown" } },
      });
    } catch (error) {
      return { name: error.name, status: error.statusCode, code: error.data.error.code };
    }
    return null;
  },
});
