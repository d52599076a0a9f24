import type { Actor } from '../audit/actor.ts';
import type { Caller } from '../kernel/thread-channel.ts';
import type { ForwarderState, ForwardingCalls, OpenForwarder, RefusedRecord, TestOutcome } from './forwarder.ts';
import { type ForwarderDraft, type ForwarderPatch, type ForwarderStore, type KnownForwarder, shown } from './forwarder-store.ts';

export interface ForwarderWithState extends KnownForwarder {
  /** Undefined: the thread that sends does not know it, which it will in a moment. */
  readonly state: ForwarderState | undefined;
}

const TEST_MS = 20_000;
const RESEND_MS = 60_000;

/** Forwarders as they are kept, together with who does the work: a change counts when both have it. */
export class ForwarderService {
  readonly #store: ForwarderStore;
  readonly #calls: Caller<ForwardingCalls>;

  constructor(dependencies: { readonly store: ForwarderStore; readonly calls: Caller<ForwardingCalls> }) {
    this.#store = dependencies.store;
    this.#calls = dependencies.calls;
  }

  async list(): Promise<readonly ForwarderWithState[]> {
    const states = new Map((await this.#calls.call('forwarderStates', null)).map((state) => [state.id, state]));
    return (await this.#store.list()).map((open) => ({ ...shown(open), state: states.get(open.forwarder.id) }));
  }

  /** @throws SelsynError `forwarder.not-found` */
  async get(id: string): Promise<ForwarderWithState> {
    return await this.#withState(await this.#store.get(id));
  }

  /** @throws SelsynError `forwarder.exists`, `request.invalid`, `request.too-large` */
  async create(draft: ForwarderDraft, actor: Actor): Promise<ForwarderWithState> {
    const open = await this.#store.create(draft, actor);
    await this.#calls.call('putForwarder', open);
    return await this.#withState(open);
  }

  /** @throws SelsynError `forwarder.not-found`, `request.invalid` */
  async update(id: string, patch: ForwarderPatch, actor: Actor): Promise<ForwarderWithState> {
    const open = await this.#store.update(id, patch, actor);
    await this.#calls.call('putForwarder', open);
    return await this.#withState(open);
  }

  /** @throws SelsynError `forwarder.not-found` */
  async remove(id: string, actor: Actor): Promise<void> {
    await this.#store.remove(id, actor);
    await this.#calls.call('removeForwarder', id);
  }

  /** @throws SelsynError `forwarder.not-found` */
  async test(id: string): Promise<TestOutcome> {
    return await this.#calls.call('testForwarder', await this.#store.get(id), TEST_MS);
  }

  /** @throws SelsynError `forwarder.not-found` */
  async reset(id: string, to: 'now' | 'beginning', actor: Actor): Promise<ForwarderWithState> {
    const open = await this.#store.get(id);
    await this.#store.note(id, 'reset', actor, { to });
    await this.#calls.call('resetForwarder', { id, to });
    return await this.#withState(open);
  }

  /** @throws SelsynError `forwarder.not-found` */
  async refused(id: string, after: number, limit: number): Promise<readonly RefusedRecord[]> {
    await this.#store.get(id);
    return await this.#calls.call('refusedRecords', { id, after, limit });
  }

  /** @throws SelsynError `forwarder.not-found` */
  async resend(id: string, actor: Actor): Promise<{ readonly sent: number; readonly left: number }> {
    await this.#store.get(id);
    const outcome = await this.#calls.call('resendRefused', id, RESEND_MS);
    await this.#store.note(id, 'resend', actor, outcome);
    return outcome;
  }

  /** @throws SelsynError `forwarder.not-found` */
  async discard(id: string, actor: Actor): Promise<{ readonly discarded: number }> {
    await this.#store.get(id);
    const outcome = await this.#calls.call('discardRefused', id);
    await this.#store.note(id, 'discard', actor, outcome);
    return outcome;
  }

  /** Takes away what is kept of a device's records: those that a target refused. What is still in the log goes with the log. */
  async forgetDevice(device: string): Promise<void> {
    await this.#calls.call('forgetForwarded', device);
  }

  async #withState(open: OpenForwarder): Promise<ForwarderWithState> {
    const states = await this.#calls.call('forwarderStates', null);
    return { ...shown(open), state: states.find(({ id }) => id === open.forwarder.id) };
  }
}
