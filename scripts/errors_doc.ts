/**
 * Writes `docs/errors.md` from the table that the messages of `CpgError` come
 * from. With `--check` it compares instead, and fails where they differ.
 *
 * @module
 */
import { cpgSignatures } from "../cpg_calls.ts";
import { type Outcome, type Row, table } from "../error_table.ts";
import { CsError } from "../errors.ts";

const INTRODUCTION = `# Errors of libcpg

What each function of libcpg comes to, when, and what to do about it: what the
man pages leave out. A \`CpgError\` has the code in \`code\`, its number in
\`value\` and the function in \`call\`; its message says what stands here.

Some outcomes are no codes, and \`CS_OK\` is not always success:

- **CS_OK**: the call says so, but has not done what it was to do.
- **never returns**: the call waits, without a time limit.
- **ends the process**: by a failed assertion or a bad memory access.

Rows with a ° come from the sources of corosync and libqb; the tests provoke all
the others.

A group throws some errors on its own, before libcpg comes to the same or to
worse: that the library cannot be loaded (\`CS_ERR_LIBRARY\` of \`dlopen\`) or
lacks a function (\`CS_ERR_NOT_SUPPORTED\`), that there is no memory
(\`CS_ERR_NO_MEMORY\` of \`malloc\`), that no descriptor is left
(\`CS_ERR_NO_RESOURCES\` of \`cpg_model_initialize\`), that a buffer cannot be
allocated (\`CS_ERR_NO_SPACE\`, \`CS_ERR_NO_RESOURCES\` or \`CS_ERR_NO_MEMORY\` of
\`cpg_zcb_alloc\`), and that it is closed (\`CS_ERR_BAD_HANDLE\` of
\`cpg_finalize\`). Their messages say what to do.
`;

/** The order within a function: codes by number, then what is none. */
const outcomes: readonly Outcome[] = [
  ...Object.keys(CsError).slice(1) as Outcome[],
  "CS_OK",
  "never returns",
  "ends the process",
];

/** The document's text, as `deno fmt` wants it. */
export async function errorsDocument(): Promise<string> {
  const sections = Object.keys(cpgSignatures).map((call) => {
    const rows = table.filter(({ calls }) => calls.includes(call))
      .sort((a, b) => rank(a) - rank(b));
    return `## ${call}\n\n${tableOf(rows)}`;
  });
  return await formatted([INTRODUCTION, ...sections].join("\n"));
}

function rank({ outcome }: Row): number {
  return outcomes.indexOf(outcome);
}

function tableOf(rows: readonly Row[]): string {
  const lines = rows.map(({ outcome, when, remedy, untested }) => {
    const number = outcome in CsError
      ? ` (${CsError[outcome as keyof typeof CsError]})`
      : "";
    const mark = untested === undefined ? "" : " °";
    return `| ${outcome}${number}${mark} | ${when} | ${remedy} |\n`;
  });
  return `| outcome | when | what to do |\n| --- | --- | --- |\n${
    lines.join("")
  }`;
}

async function formatted(text: string): Promise<string> {
  const process = new Deno.Command(Deno.execPath(), {
    args: ["fmt", "--ext", "md", "-"],
    stdin: "piped",
    stdout: "piped",
  }).spawn();
  const [{ stdout }] = await Promise.all([
    process.output(),
    new Blob([text]).stream().pipeTo(process.stdin),
  ]);
  return new TextDecoder().decode(stdout);
}

/** Where the document is. */
export const file = new URL("../docs/errors.md", import.meta.url);

if (import.meta.main) {
  const text = await errorsDocument();
  if (!Deno.args.includes("--check")) {
    await Deno.writeTextFile(file, text);
  } else if (await Deno.readTextFile(file) !== text) {
    console.error(
      "docs/errors.md is not what the table says: deno run -A scripts/errors_doc.ts",
    );
    Deno.exit(1);
  }
}
