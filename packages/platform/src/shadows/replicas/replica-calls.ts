import type { Actor } from '../../audit/actor.ts';
import type { StateDatabase } from '../../database/schema.ts';
import { SelsynError } from '../../kernel/errors.ts';
import type { Sandbox } from '../../sandbox/sandbox.ts';
import type { StateWriter } from '../../state/state-writer.ts';
import type { ShadowDocument, ShadowKey } from '../shadow-document.ts';
import { noShadow, shadowError } from '../shadow-faults.ts';
import type { ShadowDevices } from '../shadow-hooks.ts';
import { patchFault, type ShadowLimits } from '../shadow-rules.ts';
import type { Conflict } from './conflict.ts';
import type { MergePolicy } from './merge-policy.ts';
import { MergePolicyStore, type MergePolicyKey, type MergePolicyRecord } from './merge-policy-store.ts';
import { checkReport, type ReplicaReport } from './merge-report.ts';
import type { MergeHow, ScriptChoice } from './merge-rule.ts';
import { askScript, checkMergeScript } from './merge-script.ts';
import type { ReplicaDomain, ReplicaResult, ReplicaWork } from './replica-domain.ts';

export interface MergeCall extends ShadowKey {
  readonly report: ReplicaReport;
  readonly actor: Actor;
}

export interface MergeAnswer {
  /** What the edge is to have from now on, with all stamps. Its clock lacks CLOUD: that is the version. */
  readonly document: ShadowDocument;
  readonly conflicts: readonly Conflict[];
}

/** What the API asks about shadows that edges have too. */
export type ReplicaCalls = {
  /**
   * @throws SelsynError `shadow.invalid`, `shadow.conflict` for a replica that counts again what it had counted, `shadow.not-found` where
   * there is none and the edge has nothing for one, `device.not-found`, `shadow.too-large`, `shadow.refused`
   */
  mergeShadow: (call: MergeCall) => Promise<MergeAnswer>;
  /** @throws SelsynError `script.invalid`, `script.over-limit`, `request.invalid` */
  putMergePolicy: (
    call: MergePolicyKey & {
      readonly policy: MergePolicy;
      readonly script?: string | undefined;
      readonly actor: Actor;
    },
  ) => Promise<MergePolicyRecord>;
  /** @returns false: there was none. */
  removeMergePolicy: (call: MergePolicyKey & { readonly actor: Actor }) => Promise<boolean>;
};

export interface ReplicaCallsOptions {
  readonly domain: ReplicaDomain;
  readonly writer: Pick<StateWriter, 'run'>;
  readonly database: StateDatabase;
  readonly devices: ShadowDevices;
  readonly sandbox: Sandbox;
  readonly limits: ShadowLimits;
}

/** A shadow may change while the script is asked; then it is asked again about what is new. */
const MAX_ROUNDS = 4;

export function replicaCalls(options: ReplicaCallsOptions): ReplicaCalls {
  const { domain, writer, sandbox, limits } = options;
  const policies = new MergePolicyStore(options.database);
  const run = async (work: ReplicaWork): Promise<ReplicaResult> => {
    const result = await writer.run(domain, work);
    if (result.kind === 'refused') throw result.error;
    return result;
  };

  async function merge(call: MergeCall): Promise<ReplicaResult> {
    const { device, shadow, report, actor } = call;
    const type = (await options.devices.find([device])).get(device)?.type;
    const { policy, script = '' } = (await policies.choose(type, shadow)) ?? { policy: 'last-write' };
    const work = (how: MergeHow): ReplicaWork => ({ kind: 'merge', device, shadow, report, actor, how });
    if (policy !== 'custom') return await run(work({ policy }));
    const choices = new Map<string, ScriptChoice>();
    for (let round = 0; round < MAX_ROUNDS; round++) {
      const result = await run(work({ policy, choices }));
      if (result.kind !== 'ask') return result;
      const said = await askScript(sandbox, script, call, result.unasked, limits);
      if ('fault' in said) return await run(work({ policy, fault: said.fault }));
      for (const [key, choice] of said.choices) choices.set(key, choice);
    }
    return await run(work({ policy, fault: 'the shadow changed again and again while the script was asked' }));
  }

  return {
    mergeShadow: async (call) => {
      checkReport(call.report);
      const fault = patchFault(call.report, limits);
      if (fault !== undefined) throw shadowError(fault, call);
      const result = await merge(call);
      if (result.kind !== 'merged') throw new SelsynError('internal', `a merge was answered by ${result.kind}`);
      if (result.document === undefined) throw shadowError(noShadow(call), call);
      return { document: result.document, conflicts: result.conflicts };
    },
    putMergePolicy: async ({ deviceType, shadow, policy, script, actor }) => {
      if ((policy === 'custom') !== (script !== undefined)) {
        throw new SelsynError('request.invalid', 'a script belongs to the policy custom, and to no other', {
          details: { field: 'script' },
        });
      }
      if (script !== undefined) await checkMergeScript(sandbox, script);
      const result = await run({ kind: 'policy', deviceType, shadow, policy, script, actor });
      if (result.kind === 'policy' && result.record !== undefined) return result.record;
      throw new SelsynError('internal', 'a merge policy was not written');
    },
    removeMergePolicy: async ({ deviceType, shadow, actor }) => {
      const result = await run({ kind: 'policy', deviceType, shadow, actor });
      return result.kind === 'policy' && result.record !== undefined;
    },
  };
}
