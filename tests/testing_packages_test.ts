import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { findCorosync } from "../testing/packages.ts";
import { namesIn, until } from "./support.ts";

const MODULE = import.meta.resolve("../testing/packages.ts");

/**
 * Stand-ins for the package tools, since the tests have no network. A package
 * holds a "corosync" that runs unless a file `broken` is there, and to download
 * one waits as long as there is a file `slow`.
 */
const APT_GET = `echo "$*" >>"$FAKE/calls"
case " $* " in
  *" --print-uris "*)
    [ ! -e "$FAKE/offline" ] || { echo "E: Unable to locate it" >&2; exit 100; }
    echo "'http://example.org/libcpg4.deb' libcpg4_3%3a1_all.deb 10 SHA256:0" ;;
  *" download "*)
    touch "$FAKE/downloading"
    while [ -e "$FAKE/slow" ]; do sleep 0.02; done
    : >libcpg4.deb ;;
esac`;
const DPKG_DEB = `mkdir -p "$3/usr/sbin" "$3/usr/lib/x86_64-linux-gnu"
: >"$3/usr/lib/x86_64-linux-gnu/libcpg.so.4"
for name in corosync corosync-cpgtool corosync-cmapctl; do
  echo '#!/bin/sh' >"$3/usr/sbin/$name"
  [ ! -e "$FAKE/broken" ] || echo 'exit 1' >>"$3/usr/sbin/$name"
  chmod +x "$3/usr/sbin/$name"
done`;

/** A folder of stand-ins and one for copies, removed in the end. */
class Machine implements Disposable {
  readonly folder = Deno.makeTempDirSync();
  readonly copies = `${this.folder}/copies`;
  readonly env = {
    FAKE: this.folder,
    PATH: `${this.folder}/bin:${Deno.env.get("PATH")}`,
  };

  constructor(programs: Record<string, string>) {
    Deno.mkdirSync(`${this.folder}/bin`);
    for (const [name, script] of Object.entries(programs)) {
      const text = `#!/bin/sh\n${script}\n`;
      Deno.writeTextFileSync(`${this.folder}/bin/${name}`, text, {
        mode: 0o755,
      });
    }
  }

  /** Makes a file that the stand-ins heed; disposing of it removes it. */
  mark(name: string): Disposable {
    const path = `${this.folder}/${name}`;
    Deno.writeTextFileSync(path, "");
    return { [Symbol.dispose]: () => Deno.removeSync(path) };
  }

  /** A process that gets itself a fetched copy, and prints what it got. */
  find(folder: string = this.copies): Deno.ChildProcess {
    const options = JSON.stringify({ fetched: true, folder });
    const program = `import { findCorosync } from "${MODULE}";
      console.log(JSON.stringify(await findCorosync(${options})));`;
    return new Deno.Command(Deno.execPath(), {
      args: ["eval", "--no-config", program],
      cwd: this.folder,
      env: this.env,
      stdout: "piped",
      stderr: "piped",
    }).spawn();
  }

  /** How often packages were downloaded. */
  get downloads(): number {
    const calls = Deno.readTextFileSync(`${this.folder}/calls`);
    return calls.match(/ download libcpg4$/gm)?.length ?? 0;
  }

  [Symbol.dispose](): void {
    Deno.removeSync(this.folder, { recursive: true });
  }
}

interface Outcome {
  code: number;
  stdout: string;
  stderr: string;
}

async function outcomeOf(child: Deno.ChildProcess): Promise<Outcome> {
  const { code, stdout, stderr } = await child.output();
  const [out, err] = [stdout, stderr].map((text) =>
    new TextDecoder().decode(text)
  );
  return { code, stdout: out, stderr: err };
}

Deno.test("testing: packages are fetched once, by one process at a time", async () => {
  using machine = new Machine({ "apt-get": APT_GET, "dpkg-deb": DPKG_DEB });
  const finds = [machine.find("copies"), machine.find(), machine.find()];
  const outcomes = await Promise.all(finds.map(outcomeOf));
  const root = `${machine.copies}/root/usr`;
  const library = `${root}/lib/x86_64-linux-gnu`;
  const inherited = Deno.env.get("LD_LIBRARY_PATH");
  const copy = {
    daemon: `${root}/sbin/corosync`,
    cpgtool: `${root}/sbin/corosync-cpgtool`,
    cmapctl: `${root}/sbin/corosync-cmapctl`,
    env: {
      LD_LIBRARY_PATH: [
        `${root}/lib`,
        library,
        ...inherited ? [inherited] : [],
      ].join(":"),
      CPG_LIBRARY: Deno.env.get("CPG_LIBRARY") ?? `${library}/libcpg.so.4`,
    },
  };
  for (const { code, stdout, stderr } of outcomes) {
    assertEquals(code, 0, stderr);
    assertEquals(JSON.parse(stdout), copy);
  }
  assertEquals(machine.downloads, 1);
  assertEquals(namesIn(machine.copies), ["lock", "root"]);
  const told = outcomes.filter(({ stderr }) => stderr.includes("Fetching"));
  assertEquals(told.length, 1);
});

Deno.test("testing: a fetch that was killed leaves nothing half done", async () => {
  using machine = new Machine({ "apt-get": APT_GET, "dpkg-deb": DPKG_DEB });
  {
    using _ = machine.mark("slow");
    const child = machine.find();
    await until(
      "a download is under way",
      () => namesIn(machine.folder).includes("downloading"),
    );
    child.kill("SIGKILL");
    await outcomeOf(child);
    assertEquals(namesIn(machine.copies).includes("root"), false);
  }
  assertEquals((await outcomeOf(machine.find())).code, 0);
  assertEquals(namesIn(machine.copies), ["lock", "root"]);
});

Deno.test("testing: what else is in the folder for copies stays", async () => {
  using machine = new Machine({ "apt-get": APT_GET, "dpkg-deb": DPKG_DEB });
  Deno.mkdirSync(`${machine.copies}/mine`, { recursive: true });
  assertEquals((await outcomeOf(machine.find())).code, 0);
  assertEquals(namesIn(machine.copies), ["lock", "mine", "root"]);
});

Deno.test("testing: a fetch that fails says why, and leaves nothing", async () => {
  using machine = new Machine({ "apt-get": APT_GET, "dpkg-deb": DPKG_DEB });
  for (
    const [mark, message] of [
      ["offline", "exited with 100\n  E: Unable to locate it\nCheck the net"],
      ["broken", "what they contain does not run on this system"],
    ]
  ) {
    using _ = machine.mark(mark);
    const { code, stderr } = await outcomeOf(machine.find());
    assertEquals(code, 1);
    assertStringIncludes(stderr, "Cannot fetch corosync and libcpg4: ");
    assertStringIncludes(stderr, message);
    assertEquals(namesIn(machine.copies), ["lock"]);
  }
});

Deno.test("testing: a copy that no longer runs is fetched anew", async () => {
  using machine = new Machine({ "apt-get": APT_GET, "dpkg-deb": DPKG_DEB });
  assertEquals((await outcomeOf(machine.find())).code, 0);
  const daemon = `${machine.copies}/root/usr/sbin/corosync`;
  Deno.writeTextFileSync(daemon, "#!/bin/sh\nexit 127\n");
  assertEquals((await outcomeOf(machine.find())).code, 0);
  assertEquals(machine.downloads, 2);
});

for (const manager of ["dnf", "apk", "zypper", "pacman"]) {
  Deno.test(`testing: without apt-get, ${manager} is told`, async () => {
    using machine = new Machine({ [manager]: "" });
    const path = Deno.env.get("PATH")!;
    Deno.env.set("PATH", `${machine.folder}/bin`);
    try {
      const options = { fetched: true, folder: machine.copies };
      const error = await assertRejects(() => findCorosync(options), Error);
      const told = (error as Error).message.match(/sudo \w+/g);
      assertEquals(told, [`sudo ${manager}`]);
    } finally {
      Deno.env.set("PATH", path);
    }
  });
}
