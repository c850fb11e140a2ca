/**
 * Where the packages that tests and scripts import come from: from JSR, or,
 * where JSR does not answer, from the stand-ins in `tests/stand_ins/`.
 *
 * @module
 */
import config from "../deno.json" with { type: "json" };

/** The stand-in for each JSR module that tests import. */
export const standIns: Record<string, string> = {
  "@std/assert": "assert.ts",
  "@std/testing/mock": "mock.ts",
};

/** Why JSR cannot be used, or nothing if it answers within `patience` ms. */
export async function whyNotJsr(
  registry: string,
  patience: number,
): Promise<string | undefined> {
  const [, name, version] = config.imports["@std/assert"]
    .match(/^jsr:(.+)@(.+)$/)!;
  try {
    const answer = await fetch(
      new URL(`${name}/${version}_meta.json`, registry),
      { signal: AbortSignal.timeout(patience) },
    );
    await answer.body?.cancel();
    // A version that does not exist is to fail, not to be stood in for.
    if (answer.ok || answer.status === 404) return undefined;
    return `HTTP status ${answer.status}`;
  } catch (error) {
    const { message, cause } = error as Error;
    return cause instanceof Error ? cause.message : message;
  }
}

/**
 * The options that put the stand-ins in the place of the JSR packages. The
 * import map is a `data:` URL, so that there is no file to clean up.
 */
export function standInOptions(): string[] {
  const elsewhere = Object.entries(config.imports)
    .filter(([, target]) => !target.startsWith("jsr:"));
  const here = Object.entries(standIns).map(([name, file]) => [
    name,
    new URL(`../tests/stand_ins/${file}`, import.meta.url).href,
  ]);
  const map = { imports: Object.fromEntries([...elsewhere, ...here]) };
  return [
    "--import-map",
    `data:application/json,${encodeURIComponent(JSON.stringify(map))}`,
  ];
}

/**
 * The options with which a Deno subcommand finds the packages: none where JSR
 * answers, else those for the stand-ins, of which one line tells.
 */
export async function packageOptions(): Promise<string[]> {
  const registry = Deno.env.get("JSR_URL") ?? "https://jsr.io/";
  const reason = await whyNotJsr(registry, 3_000);
  if (reason === undefined) return [];
  console.error(
    `JSR does not answer (${reason}): using tests/stand_ins for ${
      Object.keys(standIns).join(", ")
    }.`,
  );
  return standInOptions();
}
