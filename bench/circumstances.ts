/**
 * What a measurement depends on.
 *
 * @module
 */
import { CorosyncNode } from "../testing/mod.ts";

/** The machine and the versions. */
export async function circumstances(): Promise<Record<string, string>> {
  const cpuinfo = await Deno.readTextFile("/proc/cpuinfo");
  const model = /^model name\s*:\s*(.*)$/m.exec(cpuinfo)?.[1] ?? "";
  const virtual = /^flags\s*:.*\bhypervisor\b/m.test(cpuinfo);
  return {
    processor: `${navigator.hardwareConcurrency} × ${model || Deno.build.arch}${
      virtual ? ", virtual" : ""
    }`,
    system: `Linux ${Deno.osRelease()}`,
    corosync: await corosyncVersion(),
    deno: Deno.version.deno,
    node: await nodeVersion(),
    load: Deno.loadavg().map((load) => load.toFixed(1)).join(", "),
  };
}

async function nodeVersion(): Promise<string> {
  const command = new Deno.Command("node", { args: ["--version"] });
  const output = await command.output().catch(() => undefined);
  return new TextDecoder().decode(output?.stdout).trim() || "none";
}

async function corosyncVersion(): Promise<string> {
  const { pid } = CorosyncNode.ambient();
  const command = new Deno.Command(`/proc/${pid}/exe`, { args: ["-v"] });
  const { stdout } = await command.output();
  const text = new TextDecoder().decode(stdout);
  return /version '(.*)'/.exec(text)?.[1] ?? text.split("\n")[0];
}
