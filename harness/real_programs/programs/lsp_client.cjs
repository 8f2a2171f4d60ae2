// A program with one language server, by vscode-jsonrpc: greets it, asks twice, says goodbye.
//
//   node lsp_client.cjs SERVER...
//
// Prints one JSON object: how each request ended. With LEAK in its environment it leaves a process.
"use strict";

const { spawn } = require("node:child_process");
const { once } = require("node:events");

const rpc = require("vscode-jsonrpc/node");

const CALL_LIMIT_MS = Number(process.env.CALL_LIMIT_MS ?? 60000);

function within(promise, ms) {
  let timer;
  const late = new Promise((resolve) => {
    timer = setTimeout(resolve, ms, "late");
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

async function main([command, ...args]) {
  const server = spawn(command, args, { stdio: ["pipe", "pipe", "inherit"] });
  const ended = once(server, "exit");
  const connection = rpc.createMessageConnection(
    new rpc.StreamMessageReader(server.stdout),
    new rpc.StreamMessageWriter(server.stdin),
  );
  connection.onError(() => {});
  connection.listen();
  const told = { calls: [] };
  const greeting = { processId: process.pid, rootUri: null, capabilities: {} };
  const { capabilities } = await connection.sendRequest("initialize", greeting);
  told.finds_symbols = Boolean(capabilities.workspaceSymbolProvider);
  await connection.sendNotification("initialized", {});
  for (let i = 0; i < 2; i += 1) {
    const asked = connection.sendRequest("workspace/symbol", { query: "x" });
    const answer = asked.then(
      () => "ok",
      (error) => error.code ?? error.message,
    );
    told.calls.push(await within(answer, CALL_LIMIT_MS));
  }
  await connection.sendRequest("shutdown");
  await connection.sendNotification("exit");
  [told.code, told.signal] = await ended;
  connection.dispose();
  if (process.env.LEAK) spawn("sleep", ["1000"], { detached: true, stdio: "ignore" }).unref();
  console.log(JSON.stringify(told));
}

main(process.argv.slice(2));
