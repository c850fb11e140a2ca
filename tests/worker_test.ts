import { assertEquals } from "@std/assert";
import { freshName, script } from "./support.ts";

Deno.test("a Worker ended in the middle of sends and receives does not crash the process", async () => {
  const worker = `
    import { join } from "@corosync/cpg";
    const group = await join(self.name);
    const buffers = [];
    for (let i = 0; i < 10; i++) buffers.push(await group.alloc(100_000));
    (async () => {
      for (;;) for (const buffer of buffers) await group.send(buffer);
    })();
    (async () => {
      for (;;) await group.send(new Uint8Array(1000));
    })();
    let count = 0;
    for await (const event of group) {
      if (event.type === "message" && ++count === 20) self.postMessage("busy");
    }
  `;
  const mod = new URL("../mod.ts", import.meta.url).href;
  const source = worker.replace("@corosync/cpg", mod);
  const url = `data:application/typescript,${encodeURIComponent(source)}`;
  const outcome = await script(
    `
    import { join } from "@corosync/cpg";
    const name = ${JSON.stringify(freshName())};
    const start = (i: number) => {
      const worker = new Worker(${JSON.stringify(url)}, {
        type: "module",
        name: name + i,
      });
      const busy = new Promise((resolve) => worker.onmessage = resolve);
      return { worker, busy };
    };
    for (let round = 0; round < 5; round++) {
      // One after the other: nothing keeps threads from connecting at the same
      // moment, which libqb is not made for.
      const first = start(2 * round);
      await first.busy;
      const second = start(2 * round + 1);
      await second.busy;
      first.worker.terminate();
      second.worker.terminate();
    }
    // The process lives on, and so does its use of the library.
    const group = await join(name);
    await group.send(new TextEncoder().encode("alive"));
    for await (const event of group) {
      if (event.type === "message") {
        console.log(new TextDecoder().decode(event.data));
        break;
      }
    }
    await group.leave();
  `,
    { args: ["run", "--quiet", "--no-check", "--allow-all"] },
  );
  assertEquals(outcome, {
    code: 0,
    signal: null,
    stdout: "alive\n",
    stderr: "",
  });
});
