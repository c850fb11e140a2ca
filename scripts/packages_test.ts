import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import config from "../deno.json" with { type: "json" };
import { standInOptions, whyNotJsr } from "./packages.ts";

/** Asks a registry that answers like this; never, if it has no answer. */
async function ask(status?: number): Promise<string | undefined> {
  const late = Promise.withResolvers<Response>();
  const requested: string[] = [];
  await using server = Deno.serve({
    hostname: "127.0.0.1",
    port: 0,
    onListen: () => {},
  }, (request) => {
    requested.push(new URL(request.url).pathname);
    return status === undefined ? late.promise : new Response("", { status });
  });
  const { port } = server.addr;
  const patience = status === undefined ? 2_000 : 30_000;
  const reason = await whyNotJsr(`http://127.0.0.1:${port}/`, patience);
  late.resolve(new Response());
  const [, version] = config.imports["@std/assert"].split("jsr:@std/assert@");
  assertEquals(requested, [`/@std/assert/${version}_meta.json`]);
  return reason;
}

Deno.test("whyNotJsr() finds a registry that answers", async () => {
  assertEquals(await ask(200), undefined);
});

Deno.test("whyNotJsr() does not hide a version that is missing", async () => {
  assertEquals(await ask(404), undefined);
});

Deno.test("whyNotJsr() tells of a registry that fails", async () => {
  assertStringIncludes(await ask(503) ?? "", "503");
});

Deno.test("whyNotJsr() does not wait for a silent registry", async () => {
  assertStringIncludes(await ask() ?? "", "timeout");
});

Deno.test("whyNotJsr() tells of a registry that is not there", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  listener.close();
  const reason = await whyNotJsr(`http://127.0.0.1:${port}/`, 30_000);
  assertStringIncludes(reason ?? "", "onnect");
});

Deno.test("standInOptions() maps to files and keeps other packages", async () => {
  const [flag, url] = standInOptions();
  assertEquals(flag, "--import-map");
  const { imports }: { imports: Record<string, string> } = await (await fetch(
    url,
  )).json();
  assertEquals(imports["fast-check"], config.imports["fast-check"]);
  for (const target of Object.values(imports)) {
    assert(!target.startsWith("jsr:"), target);
    if (target.startsWith("file:")) await Deno.stat(new URL(target));
  }
});
