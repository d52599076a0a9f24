import type { JsonObject, Json, Section } from '../shadow-document.ts';
import { mergeAnswer, type EdgeAnswer } from './edge-merge.ts';
import { pointerOf, sectionOfLeaves, type Leaf, type Leaves } from './leaves.ts';
import type { MergePolicy } from './merge-policy.ts';
import type { ReplicaReport } from './merge-report.ts';
import type { ReplicaState } from './replica-merge.ts';

/** An edge as a gateway would be: it keeps a shadow of its own, writes it while it is apart, and tells of it when it is not. */
export class EdgeReplica {
  readonly name: string;
  state: ReplicaState = { desired: new Map(), reported: new Map(), clock: {} };
  createdAtMs: number | undefined;
  #counter = 0;

  constructor(name: string) {
    this.name = name;
  }

  /** Undefined takes away. Whatever stands at the place, above it as a value or below it, goes. */
  write(section: Section, path: readonly string[], value: Json | undefined, timestampSec: number): void {
    const stamp = [timestampSec, ++this.#counter, this.name] as const;
    const leaves = writeLeaf(this.state[section], path, value === undefined ? undefined : { path, value, stamp });
    this.state = { ...this.state, [section]: leaves, clock: { ...this.state.clock, [this.name]: this.#counter } };
  }

  report(): ReplicaReport {
    const [desired, reported] = [sectionOfLeaves(this.state.desired), sectionOfLeaves(this.state.reported)];
    return {
      replica: this.name,
      clock: this.state.clock,
      ...(this.createdAtMs !== undefined && { createdAtMs: this.createdAtMs }),
      desired: desired?.value,
      reported: reported?.value,
      stamps: { desired: desired?.stamps, reported: reported?.stamps },
    };
  }

  /** What it wrote after its report is merged with the answer: the edge decides as the cloud would, but for scripts. */
  take(answer: EdgeAnswer, policy: MergePolicy): number {
    const { state, decided } = mergeAnswer(this, answer, policy === 'custom' ? 'last-write' : policy);
    this.state = state;
    this.createdAtMs = answer.createdAtMs;
    this.#counter = Math.max(this.#counter, state.clock[this.name] ?? 0);
    return decided.length;
  }

  get document(): { readonly desired: JsonObject | undefined; readonly reported: JsonObject | undefined } {
    return { desired: sectionOfLeaves(this.state.desired)?.value, reported: sectionOfLeaves(this.state.reported)?.value };
  }
}

export function writeLeaf(leaves: Leaves, path: readonly string[], leaf: Leaf | undefined): Leaves {
  const kept = new Map<string, Leaf>();
  const place = pointerOf(path);
  for (const [pointer, each] of leaves) {
    const isWithin = `${pointer}/`.startsWith(`${place}/`) || `${place}/`.startsWith(`${pointer}/`);
    if (!isWithin) kept.set(pointer, each);
  }
  if (leaf !== undefined) kept.set(place, leaf);
  return kept;
}
