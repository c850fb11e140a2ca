/** The table of errors: each row is provoked, or says why it cannot be. */
import { assertEquals, assertStringIncludes } from "@std/assert";
import { cpgSignatures } from "../cpg_calls.ts";
import { table } from "../error_table.ts";
import { CpgError, CsError, type CsErrorName } from "../ffi.ts";
import { errorsDocument, file } from "../scripts/errors_doc.ts";
import "./ffi/errors_arguments.ts";
import "./ffi/errors_daemon.ts";
import "./ffi/errors_places.ts";
import { provoked, said } from "./ffi/provoke.ts";

Deno.test("every row is provoked by a test, or says why it is not", () => {
  const testable = [...said].filter(([, tested]) => tested);
  assertEquals([...provoked].sort(), testable.map(([key]) => key).sort());
});

Deno.test("the table is about each function of libcpg, and nothing twice", () => {
  const calls = new Set(table.flatMap((row) => row.calls));
  assertEquals([...calls].sort(), Object.keys(cpgSignatures).sort());
  const rows = table.flatMap((row) => row.calls);
  assertEquals(said.size, rows.length);
});

Deno.test("docs/errors.md is what the table says", async () => {
  assertEquals(await Deno.readTextFile(file), await errorsDocument());
});

Deno.test("an error's message is what the table says", () => {
  for (const { calls, outcome, when, remedy } of table) {
    if (!(outcome in CsError)) continue;
    for (const call of calls) {
      const code = outcome as CsErrorName;
      const error = new CpgError("Cannot do it", call, code);
      const start = `Cannot do it: ${call} says ${code} (${CsError[code]}): `;
      assertStringIncludes(error.message, start);
      assertStringIncludes(error.message, `${when}: ${remedy}`);
    }
  }
});

Deno.test("what the table does not have has a message, too", () => {
  for (
    const [call, code, end] of [
      ["cpg_fd_get", "CS_ERR_LIBRARY", "see that it runs (systemctl status"],
      ["malloc", "CS_ERR_NO_MEMORY", "out of memory"],
      ["cpg_join", "CS_ERR_SECURITY", "corosync's log may say more"],
    ] as const
  ) {
    assertStringIncludes(new CpgError("No", call, code).message, end);
  }
  const unheard = new CpgError("No", "cpg_join", 77);
  assertEquals([unheard.code, unheard.value], ["CS_ERR_LIBRARY", 77]);
  const known = new CpgError("No", "cpg_join", 14, { remedy: "do this" });
  assertEquals(known.message, "No: cpg_join says CS_ERR_EXIST (14): do this");
});
