/**
 * Deep equality by the rules of `@std/assert`. `node:util` has other ones: it
 * tells 0 from -0, and takes two objects whose getters differ for equal.
 *
 * @module
 */

type ArrayOfNumbers = ArrayLike<number | bigint>;

function isTypedArray(value: object): value is ArrayOfNumbers & object {
  return ArrayBuffer.isView(value) && !(value instanceof DataView);
}

function isBuffer(value: object): value is ArrayBufferLike {
  return value instanceof ArrayBuffer || value instanceof SharedArrayBuffer;
}

/** The object's prototype; one without any counts as a plain object. */
function kindOf(value: object): object {
  return Object.getPrototypeOf(value) ?? Object.prototype;
}

/** The object's own properties, and those its class gives it. */
function propertiesOf(value: object): Set<PropertyKey> {
  const keys = new Set<PropertyKey>();
  if (kindOf(value) === Object.prototype || Array.isArray(value)) {
    for (const key of Reflect.ownKeys(value)) {
      if (Object.prototype.propertyIsEnumerable.call(value, key)) keys.add(key);
    }
    return keys;
  }
  for (
    let level: object | null = value;
    level !== null && level !== Object.prototype;
    level = Object.getPrototypeOf(level)
  ) {
    for (const key of Reflect.ownKeys(level)) keys.add(key);
  }
  return keys;
}

function sameNumbers(a: ArrayOfNumbers, b: ArrayOfNumbers): boolean {
  if (a.length !== b.length) return false;
  for (let index = 0; index < a.length; index++) {
    if (a[index] !== b[index] && !Object.is(a[index], b[index])) return false;
  }
  return true;
}

class Comparison {
  /** Pairs under comparison, for objects that contain themselves. */
  readonly #open = new Map<object, Set<object>>();

  equal(a: unknown, b: unknown): boolean {
    if (a === b || Object.is(a, b)) return true;
    if (typeof a !== "object" || typeof b !== "object") return false;
    if (a === null || b === null || kindOf(a) !== kindOf(b)) return false;
    if (a instanceof WeakMap || a instanceof WeakSet) {
      throw new TypeError(`Cannot compare ${a.constructor.name} instances`);
    }
    if (a instanceof Date) {
      return Object.is(a.getTime(), (b as Date).getTime());
    }
    if (isTypedArray(a)) return sameNumbers(a, b as typeof a);
    if (isBuffer(a)) {
      return sameNumbers(new Uint8Array(a), new Uint8Array(b as typeof a));
    }
    const partners = this.#open.get(a) ?? new Set();
    if (partners.has(b)) return true;
    this.#open.set(a, partners.add(b));
    try {
      return this.#sameContent(a, b);
    } finally {
      partners.delete(b);
    }
  }

  #sameContent(a: object, b: object): boolean {
    if (a instanceof Map || a instanceof Set) {
      return this.#sameEntries([...a], [...(b as typeof a)]);
    }
    const keys = propertiesOf(a).union(propertiesOf(b));
    for (const key of keys) {
      if ((key in a) !== (key in b)) return false;
      if (!this.equal(Reflect.get(a, key), Reflect.get(b, key))) return false;
    }
    return true;
  }

  /** Whether each of `a` has an equal in `b`, in whatever order. */
  #sameEntries(a: unknown[], b: unknown[]): boolean {
    return a.length === b.length &&
      a.every((entry) => b.some((other) => this.equal(entry, other)));
  }
}

/** Whether two values are equal as far down as they go. */
export function equal(a: unknown, b: unknown): boolean {
  return new Comparison().equal(a, b);
}
