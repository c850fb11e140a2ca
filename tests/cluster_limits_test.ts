import { assertEquals } from "@std/assert";
import { startCluster } from "../testing/mod.ts";
import { decode } from "../testing/place.ts";
import { BOUND } from "./cluster/driver.ts";
import { testOnNodes } from "./nodes.ts";
import { within } from "./support.ts";

const OPTIONS = ["--quiet", "--no-config", "-A"];
const [PROGRAM, FULL_QUEUE] = ["limits", "full_queue"].map((name) =>
  new URL(`cluster/${name}.ts`, import.meta.url).pathname
);

const RECOVERED = ["send: ok", "join: ok", "alloc: ok"];

for (
  const [what, limit, expected] of [
    [
      "a full /dev/shm",
      "shm",
      [
        "send: ok",
        "unwritten: ok",
        "written: ok",
        "join: CS_ERR_NO_SPACE",
        "alloc: CS_ERR_NO_SPACE",
        ...RECOVERED,
      ],
    ],
    [
      "a member without a descriptor left",
      "descriptors",
      [
        "send: ok",
        "join: CS_ERR_NO_RESOURCES",
        "stdin: ok",
        "alloc: CS_ERR_NO_RESOURCES",
        ...RECOVERED,
      ],
    ],
    [
      "a member without address space left",
      "memory",
      [
        "send: ok",
        "large alloc: CS_ERR_NO_MEMORY",
        "send: ok",
        "large alloc: ok",
      ],
    ],
    [
      "a daemon without a descriptor left",
      "daemon-descriptors",
      ["send: ok", "join: CS_ERR_LIBRARY", "alloc: ok", ...RECOVERED],
    ],
    [
      "a daemon without address space left",
      "daemon-memory",
      [
        "large alloc: CS_ERR_LIBRARY",
        "send: ok",
        "join: ok",
        "large alloc: ok",
      ],
    ],
  ] satisfies [string, string, string[]][]
) {
  testOnNodes(
    `limits: ${what} gives errors, and works again later`,
    async () => {
      await using cluster = await startCluster();
      const [node] = cluster.nodes;
      const { child } = node.spawn(
        [Deno.execPath(), "run", ...OPTIONS, PROGRAM, limit],
        { stdout: "piped" },
      );
      const { code, stdout } = await within(
        "the program",
        child.output(),
        BOUND,
      );
      const lines = decode(stdout).trimEnd().split("\n");
      assertEquals(lines, expected);
      assertEquals(code, 0);
    },
  );
}

testOnNodes(
  "limits: what has no room in the daemon's queue is not lost",
  async () => {
    await using cluster = await startCluster({
      nodes: 2,
      token: 20_000,
      timeout: BOUND,
    });
    const [node, other] = cluster.nodes;
    const { child } = node.spawn(
      [Deno.execPath(), "run", ...OPTIONS, FULL_QUEUE],
      { stdin: "piped", stdout: "piped" },
    );
    const output = child.stdout.pipeThrough(new TextDecoderStream())
      .getReader();
    let text = "";
    const says = (line: string) =>
      within(
        line,
        (async () => {
          while (!text.includes(`${line}\n`)) {
            const { value, done } = await output.read();
            if (done) throw new Error(`It said: ${text}`);
            text += value;
          }
        })(),
      );
    await says("joined");
    // Without the other node, the ring stands still.
    await other.freeze();
    const input = child.stdin.getWriter();
    await input.write(new TextEncoder().encode("\n"));
    await says("sent");
    await other.thaw();
    await says("\n1000000,1000001");
    await input.close();
    await output.cancel();
    assertEquals((await within("its end", child.status)).code, 0);
  },
);
