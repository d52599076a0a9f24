import { lineageOf } from '../../registry/group-path.ts';
import type { JsonObject } from '../shadow-document.ts';
import type { ShadowDevice } from '../shadow-hooks.ts';
import { inheritedFrom } from './inheritance.ts';
import type { DefaultTarget, ShadowDefault } from './shadow-default.ts';

/** One of the defaults that a device inherits. */
export interface DefaultLayer {
  readonly target: DefaultTarget;
  readonly desired: JsonObject;
}

/** Kept at most: a device type in a group is one. */
const MAX_KEPT = 10_000;

/** All defaults, as they are at one moment: what a device inherits depends on its type and its group alone. */
export class DefaultTree {
  /** By shadow, then by type or path. */
  readonly #types = new Map<string, Map<string, ShadowDefault>>();
  readonly #groups = new Map<string, Map<string, ShadowDefault>>();
  readonly #names: ReadonlySet<string>;
  /** Devices that inherit the same share one object. */
  readonly #kept = new Map<string, JsonObject | undefined>();

  /** @param shadows that had a default once, too. */
  constructor(defaults: readonly ShadowDefault[], shadows: Iterable<string> = []) {
    this.#names = new Set([...shadows, ...defaults.map(({ shadow }) => shadow)]);
    for (const each of defaults) {
      if (each.target.kind === 'type') put(this.#types, each.shadow, each.target.name, each);
      else put(this.#groups, each.shadow, each.target.path, each);
    }
  }

  /** Of all that have a default somewhere, or had one. */
  get shadows(): ReadonlySet<string> {
    return this.#names;
  }

  /** Whether one of the groups itself has a default. */
  hasGroup(paths: readonly string[]): boolean {
    return [...this.#groups.values()].some((byPath) => paths.some((path) => byPath.has(path)));
  }

  /** The farthest first: that of the type, then those of the groups from the root on. */
  layersOf({ type, group }: ShadowDevice, shadow: string): readonly DefaultLayer[] {
    if (!this.#names.has(shadow)) return [];
    const ofType = type === undefined ? undefined : this.#types.get(shadow)?.get(type);
    const byPath = this.#groups.get(shadow);
    const ofGroups = byPath === undefined ? [] : lineageOf(group).map((path) => byPath.get(path));
    return [ofType, ...ofGroups].filter((each) => each !== undefined);
  }

  /** Undefined: nothing. */
  inherited(device: ShadowDevice, shadow: string): JsonObject | undefined {
    if (!this.#names.has(shadow)) return undefined;
    const key = `${shadow} ${device.type ?? ''} ${device.group}`;
    if (this.#kept.has(key)) return this.#kept.get(key);
    if (this.#kept.size >= MAX_KEPT) this.#kept.clear();
    const inherited = inheritedFrom(this.layersOf(device, shadow).map(({ desired }) => desired));
    this.#kept.set(key, inherited);
    return inherited;
  }
}

function put(all: Map<string, Map<string, ShadowDefault>>, shadow: string, name: string, value: ShadowDefault): void {
  const some = all.get(shadow);
  if (some === undefined) all.set(shadow, new Map([[name, value]]));
  else some.set(name, value);
}
