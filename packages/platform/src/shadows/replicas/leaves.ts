import { isJsonObject, isLeafStamp, type Json, type JsonObject, type LeafStamp, type StampTree } from '../shadow-document.ts';

/** A value of a section that is merged as a whole: everything but an object with something in it. */
export interface Leaf {
  readonly path: readonly string[];
  readonly value: Json;
  readonly stamp: LeafStamp;
}

/** The leaves of a section by their JSON Pointer (RFC 6901). */
export type Leaves = ReadonlyMap<string, Leaf>;

/** Of an empty object, which has none: everybody has seen it. */
const UNKNOWN: LeafStamp = [0, 0];

export function leavesOf(value: JsonObject | undefined, stamps: StampTree | undefined): Leaves {
  const leaves = new Map<string, Leaf>();
  if (value !== undefined) collect(value, stamps ?? {}, [], leaves);
  return leaves;
}

function collect(value: JsonObject, stamps: StampTree, above: readonly string[], into: Map<string, Leaf>): void {
  for (const [key, item] of Object.entries(value)) {
    const path = [...above, key];
    const node = Object.hasOwn(stamps, key) ? stamps[key] : undefined;
    if (isJsonObject(item) && !isEmpty(item)) collect(item, node === undefined || isLeafStamp(node) ? {} : node, path, into);
    else into.set(pointerOf(path), { path, value: item, stamp: isLeafStamp(node) ? node : UNKNOWN });
  }
}

/** The section that has these leaves. None of them stands within another one. Undefined: there are none. */
export function sectionOfLeaves(leaves: Leaves): { readonly value: JsonObject; readonly stamps: StampTree } | undefined {
  if (leaves.size === 0) return undefined;
  const value: Branch<Json> = new Map();
  const stamps: Branch<LeafStamp | StampTree> = new Map();
  for (const leaf of leaves.values()) {
    put(value, leaf.path, leaf.value);
    put<LeafStamp | StampTree>(stamps, leaf.path, isEmptyLeaf(leaf) ? {} : leaf.stamp);
  }
  return { value: objectOf(value) as JsonObject, stamps: objectOf(stamps) as StampTree };
}

type Branch<T> = Map<string, Twig<T> | Branch<T>>;
interface Twig<T> {
  readonly leaf: T;
}

function put<T>(branch: Branch<T>, path: readonly string[], leaf: T): void {
  let at = branch;
  for (const key of path.slice(0, -1)) {
    const next = at.get(key);
    if (next instanceof Map) at = next;
    else {
      const made: Branch<T> = new Map();
      at.set(key, made);
      at = made;
    }
  }
  at.set(path.at(-1) ?? '', { leaf });
}

function objectOf<T>(branch: Branch<T>): Readonly<Record<string, unknown>> {
  // Not by assignment: a key may have any name.
  return Object.fromEntries([...branch].map(([key, item]) => [key, item instanceof Map ? objectOf(item) : item.leaf]));
}

export function isEmptyLeaf({ value }: Leaf): boolean {
  return isJsonObject(value);
}

function isEmpty(object: JsonObject): boolean {
  return Object.keys(object).length === 0;
}

export function pointerOf(path: readonly string[]): string {
  return path.map((key) => `/${key.replaceAll('~', '~0').replaceAll('/', '~1')}`).join('');
}
