import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { CpgError, type Group, join } from "../mod.ts";
import { libcpgFile, testWithC, variant } from "./c.ts";
import { zeroCopyFiles } from "./shm.ts";
import {
  checkFreed,
  detaches,
  freshName,
  messages,
  pattern,
  text,
  until,
} from "./support.ts";

/** What a buffer does for its user, whatever libcpg does for it. */
async function useBuffers(group: Group, zeroCopy: boolean): Promise<void> {
  const sizes = [1, 5000, 1_047_552, 1_047_553, 3_000_000];
  for (const size of sizes) {
    const buffer = await group.alloc(size);
    assertEquals(buffer.zeroCopy, zeroCopy);
    buffer.bytes.set(pattern(size, size));
    const sending = [
      group.send(text("before")),
      group.send(buffer),
      group.send(text("after")),
    ];
    const [before, content, after] = await messages(group, 3);
    await Promise.all(sending);
    assertEquals(before, text("before"));
    assertEquals(content, pattern(size, size));
    assertEquals(after, text("after"));
    await assertRejects(
      () => group.send(buffer, { length: size + 1 }),
      RangeError,
    );
    const view = buffer.bytes.subarray(0, 1);
    await Promise.all([buffer.free(), buffer.free()]);
    checkFreed(view);
    await assertRejects(() => group.send(buffer), TypeError, "freed");
  }
  if (!detaches) return;
  const away = await group.alloc(1_000_000);
  away.bytes.set(pattern(1_000_000));
  const moved = new Uint8Array(away.bytes.buffer.transfer());
  await assertRejects(() => group.send(away), TypeError, "transferred away");
  await away.free();
  assertEquals(moved, pattern(1_000_000));
  await group.alloc(100);
}

testWithC("where zero copy is malloc, everything works the same", async () => {
  await using library = await variant("zcb_malloc.c");
  const group = await join(freshName(), { library: library.path });
  await useBuffers(group, false);
  await group.leave();
});

testWithC(
  "where the daemon does not map, the memory is sent by cpg_mcast_joined",
  async () => {
    await using library = await variant("zcb_unmapped.c");
    const group = await join(freshName(), { library: library.path });
    await useBuffers(group, false);
    await group.leave();
    assertEquals(zeroCopyFiles(), []);
  },
);

testWithC(
  "TRY_AGAIN is waited out, in order, and can be given up",
  async () => {
    await using library = await variant("zcb_busy.c");
    const group = await join(freshName(), { library: library.path });
    await useBuffers(group, true);
    using buffer = await group.alloc(10);
    const controller = new AbortController();
    const aborted = assertRejects(
      () => group.send(buffer, { signal: controller.signal }),
      Error,
      "enough",
    );
    const next = group.send(text("next"));
    controller.abort(new Error("enough"));
    await aborted;
    await next;
    assertEquals(await messages(group, 1), [text("next")]);
    await group.leave();
  },
);

testWithC("memory stays as long as libcpg sends from it", async () => {
  await using library = await variant("zcb_stuck.c");
  const group = await join(freshName(), { library: library.path });
  // So large that it is freed at once, where that is allowed.
  const buffer = await group.alloc(2 ** 28 + 1);
  const sending = assertRejects(() => group.send(buffer), CpgError, "closed");
  const exists = (ending: string) =>
    [...Deno.readDirSync(library.folder)]
      .some(({ name }) => name.endsWith(ending));
  await until("the send", () => exists(".sending"));
  const closing = group.close();
  await sending;
  const freeing = buffer.free();
  await new Promise((resolve) => setTimeout(resolve));
  await Deno.remove(`${library.path}.sending`);
  await Promise.all([freeing, closing]);
  assertEquals(exists(".freed"), false);
});

Deno.test({
  name: "a libcpg without zero copy says so",
  // The library that the test has loaded is never unloaded.
  sanitizeResources: false,
  async fn() {
    // libcpg itself, with the function's name struck out.
    const content = await Deno.readFile(libcpgFile());
    const name = text("cpg_zcb_alloc\0");
    const at = content.findIndex((_, i) =>
      name.every((byte, j) => content[i + j] === byte)
    );
    content[at + "cpg_zcb_".length] = "x".charCodeAt(0);
    const path = await Deno.makeTempFile({ suffix: ".so" });
    await Deno.writeFile(path, content);
    const group = await join(freshName(), { library: path });
    await Deno.remove(path);
    const error = await assertRejects(() => group.alloc(10), CpgError);
    assertEquals(error.code, "CS_ERR_NOT_SUPPORTED");
    assertStringIncludes(error.message, "send the bytes themselves");
    await group.send(text("as bytes"));
    assertEquals(await messages(group, 1), [text("as bytes")]);
    await group.leave();
  },
});
