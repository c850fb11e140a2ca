/**
 * Tests of what differs on Node and Bun: what they may lack, and what must not
 * be kept from them.
 */
import { assertEquals, assertStringIncludes } from "@std/assert";
import { readFile } from "node:fs/promises";
import { deflate } from "node:zlib";
import { promisify } from "node:util";
import { type Group, join } from "../../mod.ts";
import { CorosyncNode } from "../../testing/mod.ts";
import { freshName, joinFresh, script, until, within } from "../support.ts";

/** Replaces what Node says about itself, before the package is loaded. */
const set = (object: string, property: string, value: unknown) =>
  `Object.defineProperty(${object}, "${property}", { value: ${value} });`;

/** Has a function of koffi, or of a library that it loads, do something else. */
const replaced = (code: string) => `
  import { createRequire } from "node:module";
  const koffi = createRequire(process.env.PACKAGE_FOLDER + "/")("koffi");
  const { load } = koffi;
  const replace = (name, call) => {
    koffi.load = (...args) => {
      const library = load(...args);
      const { func } = library;
      const replacement = (name_, ...rest) =>
        name_ === name ? call : func.call(library, name_, ...rest);
      return new Proxy(library, {
        get: (_, key) =>
          key === "func" ? replacement
          : typeof library[key] === "function" ? library[key].bind(library)
          : library[key],
      });
    };
  };
  ${code}
`;

const versions = "{ ...process.versions, node: '18.20.8', bun: undefined }";
const older = `const versions = ${versions}; delete versions.bun;` +
  set("process", "versions", "versions");

const lacks: [what: string, prelude: string, message: string][] = [
  [
    "macOS",
    set("process", "platform", "'darwin'"),
    "on Linux only, and this is darwin",
  ],
  [
    "Windows",
    set("process", "platform", "'win32'"),
    "on Linux only, and this is win32",
  ],
  [
    "another processor",
    set("process", "arch", "'s390x'"),
    "the processor is s390x",
  ],
  ["an old Node", older, "Node.js 20 or later is needed, and this is 18.20.8"],
  [
    "no koffi",
    `import Module from "node:module";
    import { createRequire } from "node:module";
    const { prototype } = Module;
    const { require } = prototype;
    prototype.require = function (name) {
      if (name === "koffi") throw new Error("Cannot find module 'koffi'");
      return require.call(this, name);
    };`,
    "the package koffi, or its part for this machine, is missing",
  ],
  [
    "no views of foreign memory, as in Electron",
    replaced(`koffi.view = () => {
      throw new Error("External buffers are not allowed");
    };`),
    "as Electron does not",
  ],
  [
    "no executable memory",
    replaced(`replace("mprotect", () => -1);`),
    "the system refuses executable memory",
  ],
  [
    "no more threads",
    replaced(`replace("pthread_create", () => 11);`),
    "no thread can be started (error 11)",
  ],
];

for (const [what, prelude, message] of lacks) {
  Deno.test(`where there is ${what}, the package can be imported, and says so`, async () => {
    const outcome = await script(`
      ${prelude}
      const { join, CpgError } = await import("@corosync/cpg");
      console.log("imported");
      await join("x").then(
        () => console.log("joined"),
        (error) => console.log(error instanceof CpgError, error.message),
      );
    `);
    assertEquals(outcome.stderr, "");
    assertStringIncludes(outcome.stdout, "imported\ntrue Cannot ");
    assertStringIncludes(outcome.stdout, message);
  });
}

/** How long it takes to do what uses libuv's threads, in milliseconds. */
async function poolTime(): Promise<number> {
  const start = performance.now();
  await Promise.all(
    Array.from({ length: 8 }, () => [
      readFile("/proc/self/status"),
      promisify(deflate)(new Uint8Array(1000)),
    ]).flat(),
  );
  return performance.now() - start;
}

/** The same, whatever else runs on the machine: the least of many times. */
async function leastPoolTime(): Promise<number> {
  let least = Infinity;
  for (let i = 0; i < 100; i++) least = Math.min(least, await poolTime());
  return least;
}

Deno.test("files and compression do not wait for groups, nor for the daemon", async () => {
  const name = freshName();
  const groups: Group[] = [];
  const alone = await leastPoolTime();
  for (let i = 0; i < 50; i++) groups.push(await join(`${name}-${i}`));
  let beside = Infinity;
  // Threads that wait for groups would make it hundreds; whatever else keeps
  // the machine busy passes.
  await until("files to be as quick beside 50 groups", async () => {
    const least = within("files, beside 50 groups", leastPoolTime());
    beside = Math.min(beside, await least);
    return beside / alone < 20;
  });
  console.log(
    `  files take ${
      (beside / alone).toFixed(2)
    } times as long beside 50 groups`,
  );
  const node = CorosyncNode.ambient();
  await node.freeze();
  try {
    const pending = groups.map((group) => group.members());
    await within("files, while the daemon is stopped", poolTime());
    await node.thaw();
    await within("the members", Promise.all(pending));
  } finally {
    if (node.pid) await node.thaw();
  }
  await Promise.all(groups.map((group) => group.leave()));
});

Deno.test("a process can exit while a call waits for a stopped daemon", async () => {
  const node = CorosyncNode.ambient();
  const running = script(`
    import { join } from "@corosync/cpg";
    const group = await join(${JSON.stringify(freshName())});
    const testing = await import("@corosync/cpg".replace("mod.", "testing/mod."));
    await testing.CorosyncNode.ambient().freeze();
    group.members();
    join("another");
    setTimeout(() => process.exit(7), 100);
  `);
  try {
    const { code } = await within("the exit", running);
    assertEquals(code, 7);
  } finally {
    await node.thaw();
  }
});

Deno.test("a process with nothing to do ends, groups or not", async () => {
  const outcome = await within(
    "the end",
    script(`
    import { join } from "@corosync/cpg";
    const group = await join(${JSON.stringify(freshName())});
    await group.members();
    await group.leave();
    console.log("left");
  `),
  );
  assertEquals(outcome, {
    code: 0,
    signal: null,
    stdout: "left\n",
    stderr: "",
  });
});

Deno.test("threads that are not needed any more end", async () => {
  const threads = async () =>
    Number(
      /Threads:\s*(\d+)/.exec(
        await readFile("/proc/self/status", "utf8"),
      )![1],
    );
  const group = await joinFresh();
  const before = await threads();
  const others = await Promise.all(
    Array.from({ length: 30 }, () => joinFresh()),
  );
  await Promise.all(others.map((other) => other.members()));
  await Promise.all(others.map((other) => other.leave()));
  await until("the threads to end", async () => await threads() <= before + 4);
  await group.leave();
});
