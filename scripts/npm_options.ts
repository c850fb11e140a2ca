/**
 * How the npm package is built of this module: options for `build` of dnt, and
 * for the stand-in where dnt cannot be had.
 *
 * @module
 */
import config from "../deno.json" with { type: "json" };

/** The options of dnt's `build` that are used here. */
export interface BuildOptions {
  entryPoints: { name: string; path: string }[];
  outDir: string;
  shims: Record<string, never>;
  test: boolean;
  typeCheck: "both";
  declaration: "inline";
  scriptModule: "cjs";
  skipSourceOutput: boolean;
  mappings: Record<string, string>;
  compilerOptions: {
    target: "ES2022";
    lib: ("ES2023" | "ESNext.Disposable")[];
    noImplicitReturns: boolean;
    useUnknownInCatchVariables: boolean;
  };
  package: {
    name: string;
    version: string;
    [field: string]: unknown;
  };
  postBuild: () => void;
}

/** The folder that the package is built in. */
export const outDir = "npm";

/** Files that are published as they are. */
export const extraFiles = ["LICENSE", "README.md"];

/** Everything about the package comes from deno.json, but what only npm has. */
export const options: BuildOptions = {
  entryPoints: Object.entries(config.exports).map(([name, path]) => ({
    name,
    path,
  })),
  outDir,
  shims: {},
  test: false,
  typeCheck: "both",
  declaration: "inline",
  scriptModule: "cjs",
  skipSourceOutput: true,
  mappings: { "./native/deno.ts": "./native/node.ts" },
  compilerOptions: {
    // What the oldest Node has, so that nothing else can be used. Private
    // names stay private names.
    target: "ES2022",
    lib: ["ES2023", "ESNext.Disposable"],
    noImplicitReturns: true,
    useUnknownInCatchVariables: true,
  },
  package: {
    name: config.name,
    version: config.version,
    description: config.description,
    keywords: config.keywords,
    license: config.license,
    engines: { node: ">=20" },
    // Only for building.
    devDependencies: { "@types/node": "^20.19.0" },
  },
  postBuild: () => {
    for (const file of extraFiles) Deno.copyFileSync(file, `${outDir}/${file}`);
  },
};
