import type { Actor } from '../../audit/actor.ts';
import type { StateDatabase } from '../../database/schema.ts';
import { SelsynError } from '../../kernel/errors.ts';
import type { Batch } from '../../state/batch.ts';
import type { OutgoingMessage } from '../../state/outgoing.ts';
import type { StateDomain } from '../../state/state-domain.ts';
import { MAX_HOOKS, noHook, type RequestHook } from './request-hook.ts';
import { RequestHookStore } from './request-hook-store.ts';

export type RequestWork =
  /** Goes out in its turn among what else goes to the device. */
  | { readonly kind: 'say'; readonly message: OutgoingMessage }
  | { readonly kind: 'put-hook'; readonly method: string; readonly url: string; readonly actor: Actor }
  | { readonly kind: 'remove-hook'; readonly method: string; readonly actor: Actor };

export type RequestResult = { readonly hook?: RequestHook | undefined } | { readonly error: SelsynError };

/** What devices ask: says the answers, and keeps who gives them. The hooks are in memory too: each request looks there. */
export class RequestDomain implements StateDomain<RequestWork, RequestResult> {
  readonly name = 'requests';
  #hooks: ReadonlyMap<string, RequestHook> = new Map();

  /** Call it first. */
  async load(database: StateDatabase): Promise<void> {
    this.#hooks = new Map((await new RequestHookStore(database).list()).map((hook) => [hook.method, hook]));
  }

  hookOf(method: string): RequestHook | undefined {
    return this.#hooks.get(method);
  }

  async apply(works: readonly RequestWork[], batch: Batch): Promise<readonly RequestResult[]> {
    const hooks = new Map(this.#hooks);
    const results: RequestResult[] = [];
    for (const work of works) {
      if (work.kind === 'say') {
        batch.publish(work.message);
        results.push({});
      } else results.push(work.kind === 'put-hook' ? await put(work, hooks, batch) : await remove(work, hooks, batch));
    }
    batch.afterCommit(() => (this.#hooks = hooks));
    return results;
  }
}

async function put(
  { method, url, actor }: RequestWork & { readonly kind: 'put-hook' },
  hooks: Map<string, RequestHook>,
  batch: Batch,
): Promise<RequestResult> {
  const { transaction, nowMs } = batch;
  const before = hooks.get(method);
  if (before === undefined && hooks.size >= MAX_HOOKS)
    return {
      error: new SelsynError('request.invalid', `there are ${MAX_HOOKS} hooks already`, { details: { limit: MAX_HOOKS } }),
    };
  const hook = { method, url, createdAtMs: before?.createdAtMs ?? nowMs, updatedAtMs: nowMs };
  await transaction
    .insertInto('request_hook')
    .values({ method, url, created_at_ms: hook.createdAtMs, updated_at_ms: nowMs })
    .onConflict((conflict) => conflict.column('method').doUpdateSet({ url, updated_at_ms: nowMs }))
    .execute();
  hooks.set(method, hook);
  const isNew = before === undefined;
  batch.audit({
    actor,
    action: 'request-hook.put',
    object: { kind: 'request-hook', id: method },
    group: '/',
    ...(!isNew && { before: { url: before.url } }),
    after: { url },
  });
  return { hook };
}

async function remove(
  { method, actor }: RequestWork & { readonly kind: 'remove-hook' },
  hooks: Map<string, RequestHook>,
  batch: Batch,
): Promise<RequestResult> {
  const before = hooks.get(method);
  if (before === undefined) return { error: noHook(method) };
  await batch.transaction.deleteFrom('request_hook').where('method', '=', method).execute();
  hooks.delete(method);
  const object = { kind: 'request-hook', id: method };
  batch.audit({ actor, action: 'request-hook.remove', object, group: '/', before: { url: before.url } });
  return { hook: before };
}
