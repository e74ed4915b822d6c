// One request as code, for a shell, for Python and for JavaScript.

import { API } from "../api/address";
import type { Fields } from "../api/client";

export const LANGUAGES = ["curl", "Python", "JavaScript"] as const;
export type Language = (typeof LANGUAGES)[number];

export function asCode(language: Language, fields: Fields, needsKey: boolean): string {
  if (language === "curl") return curl(fields, needsKey);
  return language === "Python" ? python(fields, needsKey) : javascript(fields, needsKey);
}

function curl(fields: Fields, needsKey: boolean): string {
  const key = needsKey ? ` \\\n  -H "Authorization: Bearer $TURNWIRE_API_KEY"` : "";
  const body = JSON.stringify(fields, null, 2).replaceAll("'", "'\\''");
  return `curl -N ${API}/responses${key} \\\n  -H 'Content-Type: application/json' \\\n  -d '${body}'`;
}

function python(fields: Fields, needsKey: boolean): string {
  const key = needsKey ? `os.environ["TURNWIRE_API_KEY"]` : `"local"`;
  const given = Object.entries(fields).map(([name, value]) => `    ${name}=${literal(value)},`);
  const end = fields["stream"] ? "for event in response:\n    print(event)" : "print(response.output_text)";
  return `${needsKey ? "import os\n\n" : ""}from openai import OpenAI\n\nclient = OpenAI(base_url="${API}", api_key=${key})\nresponse = client.responses.create(\n${given.join("\n")}\n)\n${end}\n`;
}

function javascript(fields: Fields, needsKey: boolean): string {
  const key = needsKey ? "process.env.TURNWIRE_API_KEY" : `"local"`;
  const end = fields["stream"] ? "for await (const event of response) console.log(event);" : "console.log(response.output_text);";
  return `import OpenAI from "openai";\n\nconst client = new OpenAI({ baseURL: "${API}", apiKey: ${key} });\nconst response = await client.responses.create(${JSON.stringify(fields, null, 2)});\n${end}\n`;
}

function literal(value: unknown): string {
  if (value === null) return "None";
  if (value === true) return "True";
  if (value === false) return "False";
  if (Array.isArray(value)) return `[${value.map(literal).join(", ")}]`;
  if (typeof value === "object") {
    return `{${Object.entries(value as Fields).map(([name, each]) => `${JSON.stringify(name)}: ${literal(each)}`).join(", ")}}`;
  }
  return JSON.stringify(value);
}
