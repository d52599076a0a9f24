import type { Actor } from '../../audit/actor.ts';
import { SelsynError } from '../../kernel/errors.ts';
import type { Batch } from '../../state/batch.ts';
import type { RegistryChange, RegistryFollower } from '../../state/registry-changes.ts';
import type { StateDomain } from '../../state/state-domain.ts';
import type { ShadowDocument, ShadowKey } from '../shadow-document.ts';
import type { ShadowDomain } from '../shadow-domain.ts';
import { shadowError } from '../shadow-faults.ts';
import type { ChangeWork, ShadowResult } from '../shadow-work.ts';
import type { Conflict } from './conflict.ts';
import { ConflictStore } from './conflict-store.ts';
import type { MergePolicy } from './merge-policy.ts';
import { MAX_MERGE_POLICIES, MergePolicyStore, type MergePolicyKey, type MergePolicyRecord } from './merge-policy-store.ts';
import type { ReplicaReport } from './merge-report.ts';
import { mergeReport, type MergeHow, type MergeResult } from './merge-rule.ts';
import type { Concurrent } from './replica-merge.ts';

/** Merges what an edge has made of a shadow. */
export interface MergeWork extends ShadowKey {
  readonly kind: 'merge';
  /** It was checked. */
  readonly report: ReplicaReport;
  readonly how: MergeHow;
  readonly actor: Actor;
}

/** Says how shadows are merged from now on; `policy` undefined: as others again. The script was checked. */
export interface PolicyWork extends MergePolicyKey {
  readonly kind: 'policy';
  readonly policy?: MergePolicy | undefined;
  readonly script?: string | undefined;
  readonly actor: Actor;
}

export type ReplicaWork = MergeWork | PolicyWork;

export type ReplicaResult =
  | {
      readonly kind: 'merged';
      /** As it is now; undefined: there is none. */
      readonly document: ShadowDocument | undefined;
      readonly conflicts: readonly Conflict[];
    }
  /** Nothing was done: the script is to be asked first. */
  | { readonly kind: 'ask'; readonly unasked: readonly Concurrent[] }
  | { readonly kind: 'refused'; readonly error: SelsynError }
  | { readonly kind: 'policy'; readonly record: MergePolicyRecord | undefined };

/** Shadows that edges have too, and what was written on both sides. */
export class ReplicaDomain implements StateDomain<ReplicaWork, ReplicaResult>, RegistryFollower {
  readonly name = 'replicas';
  readonly #shadows: Pick<ShadowDomain, 'apply'>;

  constructor(dependencies: { readonly shadows: Pick<ShadowDomain, 'apply'> }) {
    this.#shadows = dependencies.shadows;
  }

  async apply(works: readonly ReplicaWork[], batch: Batch): Promise<readonly ReplicaResult[]> {
    const results: ReplicaResult[] = [];
    const merges = works.filter((work) => work.kind === 'merge');
    const merged = merges.length === 0 ? [] : await this.#merge(merges, batch);
    let next = 0;
    for (const work of works) {
      results.push(work.kind === 'merge' ? merged[next++]! : await changePolicy(work, batch));
    }
    return results;
  }

  async registryChanged(changes: readonly RegistryChange[], batch: Batch): Promise<void> {
    const store = new ConflictStore(batch.transaction);
    for (const { kind, device, atMs } of changes) if (kind === 'removed') await store.purge(device, atMs);
  }

  async #merge(works: readonly MergeWork[], batch: Batch): Promise<readonly ReplicaResult[]> {
    const made = new Map<MergeWork, MergeResult>();
    const changes = works.map((work): ChangeWork => {
      const { device, shadow, actor, report, how } = work;
      return {
        kind: 'change',
        device,
        shadow,
        actor,
        author: `replica:${report.replica}`,
        rule: (document, context) => {
          const result = mergeReport(document, report, how, context);
          made.set(work, result);
          return result.outcome;
        },
      };
    });
    const done = await this.#shadows.apply(changes, batch);
    const results: ReplicaResult[] = [];
    for (const [index, work] of works.entries()) results.push(await this.#after(work, done[index]!, made.get(work), batch));
    return results;
  }

  async #after(work: MergeWork, done: ShadowResult, made: MergeResult | undefined, batch: Batch): Promise<ReplicaResult> {
    if (done.kind === 'refused') return { kind: 'refused', error: shadowError(done.fault, work) };
    if (made?.refusal !== undefined) return { kind: 'refused', error: made.refusal };
    if (made !== undefined && made.unasked.length > 0) return { kind: 'ask', unasked: made.unasked };
    const conflicts = made?.conflicts ?? [];
    const document = done.kind === 'put' || done.kind === 'unchanged' ? done.document : undefined;
    if (conflicts.length > 0 && document !== undefined) {
      const { version } = document;
      const { replica } = work.report;
      await new ConflictStore(batch.transaction).add(work, { version, atMs: batch.nowMs, replica, conflicts });
    }
    return { kind: 'merged', document, conflicts };
  }
}

async function changePolicy(work: PolicyWork, batch: Batch): Promise<ReplicaResult> {
  const { deviceType, shadow, policy, script, actor } = work;
  const { transaction, nowMs } = batch;
  const store = new MergePolicyStore(transaction);
  const before = await store.find(work);
  if (policy === undefined) {
    await transaction
      .deleteFrom('shadow_merge_policy')
      .where('device_type', '=', deviceType)
      .where('shadow', '=', shadow)
      .execute();
  } else {
    if (before === undefined && (await store.list()).length >= MAX_MERGE_POLICIES) return { kind: 'refused', error: tooMany() };
    const columns = { policy, script: script ?? null, updated_at_ms: nowMs };
    await transaction
      .insertInto('shadow_merge_policy')
      .values({ device_type: deviceType, shadow, created_at_ms: nowMs, ...columns })
      .onConflict((conflict) => conflict.columns(['device_type', 'shadow']).doUpdateSet(columns))
      .execute();
  }
  const after = await store.find(work);
  if (before !== undefined || after !== undefined) {
    batch.audit({
      actor,
      action: after === undefined ? 'merge-policy.delete' : before === undefined ? 'merge-policy.create' : 'merge-policy.update',
      object: { kind: 'merge-policy', id: `${deviceType}/${shadow}` },
      group: '/',
      before,
      after,
    });
  }
  return { kind: 'policy', record: after ?? before };
}

function tooMany(): SelsynError {
  return new SelsynError('request.invalid', `there are ${MAX_MERGE_POLICIES} merge policies, which is as many as there can be`);
}
