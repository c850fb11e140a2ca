import { assertEquals } from "@std/assert";
import { startCluster } from "../testing/mod.ts";
import { decode } from "../testing/place.ts";
import { testOnNodes } from "./nodes.ts";
import { within } from "./support.ts";

const PROGRAM = new URL("cluster/limits.ts", import.meta.url).pathname;

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
      const options = ["--quiet", "--no-config", "-A"];
      const { child } = node.spawn(
        [Deno.execPath(), "run", ...options, PROGRAM, limit],
        { stdout: "piped" },
      );
      const { code, stdout } = await within("the program", child.output());
      const lines = decode(stdout).trimEnd().split("\n");
      assertEquals(lines, expected);
      assertEquals(code, 0);
    },
  );
}
