// A program with one MCP server, by the official SDK: lists its tools, calls one twice, closes.
//
//   node mcp_client.mjs TOOL ARGUMENTS_AS_JSON SERVER...
//
// Prints one JSON object: how each call ended. With LEAK in its environment it leaves a process.
import { spawn } from "node:child_process";

import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";

const CALL_LIMIT_MS = Number(process.env.CALL_LIMIT_MS ?? 60000);
const [tool, given, command, ...args] = process.argv.slice(2);

const client = new Client({ name: "poolproof-real-programs", version: "1.0.0" });
const transport = new StdioClientTransport({ command, args, stderr: "inherit" });
await client.connect(transport, { timeout: 60000 });
const { tools } = await client.listTools();
const told = { has_tool: tools.some(({ name }) => name === tool), calls: [] };
for (let i = 0; i < 2; i += 1) {
  try {
    const result = await client.callTool({ name: tool, arguments: JSON.parse(given) }, undefined, {
      timeout: CALL_LIMIT_MS,
    });
    told.calls.push(result.isError ? "refused" : "ok");
  } catch (error) {
    told.calls.push(error.code ?? error.message);
  }
}
await client.close();
if (process.env.LEAK) spawn("sleep", ["1000"], { detached: true, stdio: "ignore" }).unref();
console.log(JSON.stringify(told));
