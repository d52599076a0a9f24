import type { Actor } from '../audit/actor.ts';
import type { ShadowDocument, ShadowKey, ShadowPatch } from './shadow-document.ts';
import type { ShadowDomain } from './shadow-domain.ts';
import { shadowError } from './shadow-faults.ts';
import { awsWork } from './shadow-mqtt.ts';
import type { ShadowRule } from './shadow-rule.ts';
import { deleteRule, refuseRule, replaceRule, updateRule } from './shadow-rule-kinds.ts';
import { patchFault } from './shadow-rules.ts';
import type { ShadowOperation } from './shadow-topics.ts';
import type { ShadowResult } from './shadow-work.ts';

interface ShadowCall extends ShadowKey {
  readonly actor: Actor;
  /** Of If-Match: the version that it must have; 0: it must never have been. */
  readonly expectedVersion?: number | undefined;
}

/** An HTTP request as AWS's SDKs make it. */
export interface AwsShadowCall extends ShadowKey {
  readonly operation: ShadowOperation;
  readonly payload: Uint8Array;
  readonly actor: Actor;
}

export interface AwsShadowAnswer {
  readonly status: number;
  /** JSON, of a refusal `{"code":…,"message":…,"timestamp":…}`. */
  readonly body: string;
}

/**
 * What the API asks of the shadows' thread. All but the last throw SelsynError `device.not-found`, `shadow.conflict` (its details have
 * the `version` that it has), `shadow.invalid`, `shadow.too-large`, `shadow.refused`; and `shadow.not-found` where there is none to
 * delete.
 */
export type ShadowCalls = {
  /** Merges (RFC 7396 within desired and reported; null takes away). Makes the shadow where there is none. */
  updateShadow: (call: ShadowCall & { readonly patch: ShadowPatch }) => Promise<ShadowDocument>;
  /** Makes desired and reported exactly this, as far as they are given; null or {} empties one, undefined leaves it. */
  replaceShadow: (call: ShadowCall & { readonly state: ShadowPatch }) => Promise<ShadowDocument>;
  deleteShadow: (call: ShadowCall) => Promise<{ readonly version: number }>;
  /** One operation as AWS answers it. Never throws for what the request is at fault. */
  awsShadow: (call: AwsShadowCall) => Promise<AwsShadowAnswer>;
};

export function shadowCalls(domain: ShadowDomain): ShadowCalls {
  const change = async (call: ShadowCall, rule: ShadowRule): Promise<ShadowResult> => {
    const { device, shadow, actor, expectedVersion } = call;
    const result = await domain.run({ kind: 'change', device, shadow, rule, author: authorOf(actor), actor, expectedVersion });
    if (result.kind === 'refused') throw shadowError(result.fault, call, { version: result.version });
    return result;
  };
  const write = async (
    call: ShadowCall,
    patch: ShadowPatch,
    rule: (patch: ShadowPatch) => ShadowRule,
  ): Promise<ShadowDocument> => {
    const fault = patchFault(patch, domain.limits);
    const result = await change(call, fault === undefined ? rule(patch) : refuseRule(fault));
    return result.kind === 'put' ? result.document : unexpected(result);
  };
  return {
    updateShadow: async (call) => await write(call, call.patch, updateRule),
    replaceShadow: async (call) => await write(call, call.state, replaceRule),
    deleteShadow: async (call) => {
      const result = await change(call, deleteRule);
      return result.kind === 'deleted' ? { version: result.version } : unexpected(result);
    },
    awsShadow: async ({ device, shadow, operation, payload, actor }) => {
      const work = awsWork({ device, shadow }, operation, payload, domain.limits, { author: authorOf(actor), actor });
      const result = await domain.run(work);
      if (result.kind === 'refused') return { status: result.fault.code, body: result.rejected };
      return 'accepted' in result ? { status: 200, body: result.accepted } : unexpected(result);
    },
  };
}

/** Who, as the history says it. */
export function authorOf({ kind, id }: Actor): string {
  return `${kind}:${id}`;
}

function unexpected(result: ShadowResult): never {
  throw new Error(`a shadow was ${result.kind}, which it cannot be`);
}
