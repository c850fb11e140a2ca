/**
 * What the package needs and Node 20, or a CommonJS module, lacks: the part of
 * dnt's polyfills that the sources make it add.
 *
 * @module
 */
import { realpathSync } from "node:fs";
import process from "node:process";
import { pathToFileURL } from "node:url";

declare global {
  interface ImportMeta {
    /** Whether the module is the program itself. */
    main: boolean;
  }

  interface PromiseConstructor {
    /** A promise, and the functions that settle it. */
    withResolvers<T>(): Resolvers<T>;
  }
}

interface Resolvers<T> {
  promise: Promise<T>;
  resolve: (value: T | PromiseLike<T>) => void;
  reject: (reason?: unknown) => void;
}

/** As much of a CommonJS module as is looked at. */
interface CommonJsModule {
  readonly filename: string;
  readonly path: string;
}

/** `import.meta` of a CommonJS module. */
function importMetaOf(
  require: { main: unknown },
  module: CommonJsModule,
): Partial<ImportMeta> {
  return {
    url: pathToFileURL(module.filename).href,
    main: require.main === module,
    filename: module.filename,
    dirname: module.path,
  };
}

/** `import.meta` of an ES module, in an older Node. */
function complete(meta: ImportMeta): ImportMeta {
  meta.main ??= process.argv[1] !== undefined &&
    meta.url === pathToFileURL(realpathSync(process.argv[1])).href;
  return meta;
}

function define(name: string, value: unknown): void {
  const symbol = Symbol.for(name);
  if (symbol in globalThis) return;
  Object.defineProperty(globalThis, symbol, { configurable: true, value });
}

define("import-meta-ponyfill-commonjs", importMetaOf);
define("import-meta-ponyfill-esmodule", complete);

Promise.withResolvers ??= <T>() => {
  const resolvers = {} as Resolvers<T>;
  resolvers.promise = new Promise((resolve, reject) => {
    resolvers.resolve = resolve;
    resolvers.reject = reject;
  });
  return resolvers;
};
