import type { Actor } from '../../audit/actor.ts';
import type { Database, StateDatabase } from '../../database/schema.ts';
import { SelsynError } from '../../kernel/errors.ts';
import { decodePageCursor, encodePageCursor } from '../../registry/page-cursor.ts';
import { scopeIncludes, type Scope } from '../../registry/scope.ts';
import type { StateWriter } from '../../state/state-writer.ts';
import { orderOf, ShadowDefaultStore } from '../defaults/shadow-default-store.ts';
import { parseTarget, targetText, type ShadowDefault } from '../defaults/shadow-default.ts';
import { ShadowOrigins, type ShadowOrigin } from '../defaults/shadow-origin.ts';
import type { JsonObject, ShadowKey } from '../shadow-document.ts';
import type { ShadowDevices } from '../shadow-hooks.ts';
import type { ShadowFleetDomain, ShadowFleetResult, ShadowFleetWork } from './shadow-fleet-domain.ts';
import { checkShadowName, type ShadowUpdate, type ShadowUpdateDraft } from './shadow-update.ts';

interface ByCaller {
  readonly actor: Actor;
  /** Where the caller may change shadows: fixed for as long as what is asked for takes. */
  readonly scope: Scope;
}

interface NamedDefault extends ByCaller {
  /** `group:/path` or `type:name`. */
  readonly target: string;
  /** '' is the classic one. */
  readonly shadow: string;
  /** 0: there must be none. */
  readonly expectedVersion?: number | undefined;
}

export interface ShadowDefaultPage {
  /** Types first, then groups by path. */
  readonly items: readonly ShadowDefault[];
  readonly cursor?: string;
}

/** What the API asks of the shadows of fleets. */
export type ShadowFleetCalls = {
  /**
   * @throws SelsynError `request.invalid`, `group.not-found`, `fleet.not-found`, `device-type.not-found`, `state.busy`
   */
  startShadowUpdate: (
    call: ByCaller & { readonly draft: ShadowUpdateDraft; readonly fleetScope?: Scope },
  ) => Promise<ShadowUpdate>;
  /** What was done stays. @throws SelsynError `shadow-update.not-found`, `shadow-update.not-cancellable` */
  cancelShadowUpdate: (call: ByCaller & { readonly id: string }) => Promise<ShadowUpdate>;
  /**
   * @returns the default, and the update that brings it to the devices (none where it is as it was).
   * @throws SelsynError `request.invalid`, `group.not-found`, `device-type.not-found`, `access.denied`, `shadow.refused`,
   *   `shadow-default.conflict`
   */
  putShadowDefault: (
    call: NamedDefault & { readonly desired: JsonObject },
  ) => Promise<{ readonly default: ShadowDefault; readonly update: ShadowUpdate | undefined }>;
  /** @throws SelsynError `shadow-default.not-found` and as putShadowDefault */
  removeShadowDefault: (call: NamedDefault) => Promise<ShadowUpdate | undefined>;
  /** Those of types, and of groups in the scope. @throws SelsynError `request.invalid` for a cursor or target that is none */
  listShadowDefaults: (call: {
    readonly scope: Scope;
    readonly target?: string | undefined;
    readonly limit: number;
    readonly cursor?: string | undefined;
  }) => Promise<ShadowDefaultPage>;
  /** @throws SelsynError `device.not-found` */
  shadowOrigin: (call: ShadowKey) => Promise<ShadowOrigin>;
};

export function shadowFleetCalls(dependencies: {
  readonly domain: ShadowFleetDomain;
  readonly writer: StateWriter;
  readonly database: StateDatabase;
  readonly registry: Database;
  readonly devices: ShadowDevices;
}): ShadowFleetCalls {
  const { domain, writer, database, registry, devices } = dependencies;
  const store = new ShadowDefaultStore({ state: database, registry });
  const origins = new ShadowOrigins({ state: database, registry, devices });
  const run = async (work: ShadowFleetWork): Promise<Exclude<ShadowFleetResult, { kind: 'refused' }>> => {
    const result = await writer.run(domain, work);
    if (result.kind === 'refused') throw result.error;
    return result;
  };
  const updateBy = async (work: ShadowFleetWork): Promise<ShadowUpdate> => {
    const result = await run(work);
    if (result.kind === 'update') return result.update;
    throw new SelsynError('internal', `a ${work.kind} came to a ${result.kind}`);
  };
  const change = async ({
    target,
    shadow,
    desired,
    expectedVersion,
    actor,
    scope,
  }: NamedDefault & { desired: JsonObject | undefined }) => {
    checkShadowName(shadow);
    const wanted = { target: parseTarget(target), shadow, desired, expectedVersion, actor, scope };
    const result = await run({ kind: 'default', change: wanted });
    if (result.kind === 'default') return result;
    throw new SelsynError('internal', `a default came to a ${result.kind}`);
  };
  return {
    startShadowUpdate: async ({ draft, actor, scope, fleetScope = scope }) =>
      await updateBy({ kind: 'start', draft, by: { actor, scope, fleetScope } }),
    cancelShadowUpdate: async ({ id, actor, scope }) => await updateBy({ kind: 'cancel', id, actor, scope }),
    async putShadowDefault(call) {
      const { after, update } = await change(call);
      if (after === undefined) throw new SelsynError('internal', 'a default that was put is not there');
      return { default: after, update };
    },
    removeShadowDefault: async (call) => (await change({ ...call, desired: undefined })).update,
    async listShadowDefaults({ scope, target, limit, cursor }) {
      const wanted = target === undefined ? undefined : targetText(parseTarget(target));
      const after = cursor === undefined ? undefined : decodePageCursor(cursor);
      const found = await store.page({
        isMeant: (each) =>
          (each.kind === 'type' || scopeIncludes(scope, each.path)) && (wanted === undefined || targetText(each) === wanted),
        after,
        limit: limit + 1,
      });
      const items = found.slice(0, limit);
      const last = items.at(-1);
      return found.length > limit && last !== undefined ? { items, cursor: encodePageCursor(orderOf(last)) } : { items };
    },
    async shadowOrigin(key) {
      checkShadowName(key.shadow);
      return await origins.of(key);
    },
  };
}
