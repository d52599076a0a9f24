import type { Actor } from '../audit/actor.ts';
import type { Caller } from '../kernel/thread-channel.ts';
import type { Scope } from '../registry/scope.ts';
import type { HoldTarget, LegalHold } from './legal-hold.ts';
import type { LegalHoldStore } from './legal-holds.ts';
import type { RetentionCalls, RetentionStatus } from './retention-calls.ts';
import type { RetentionPlan } from './retention-plan.ts';
import type { RetentionPolicies, RetentionPolicyDraft } from './retention-policies.ts';
import type { RetentionPolicy } from './retention-policy.ts';
import type { PassReport } from './retention-runner.ts';
import type { StorageReport } from './storage-report.ts';

/** Retention for those who operate it: rules are in the registry, what they do is done in the upkeep thread. */
export class RetentionControl {
  readonly #policies: RetentionPolicies;
  readonly #holds: LegalHoldStore;
  readonly #upkeep: Caller<RetentionCalls>;

  constructor(parts: {
    readonly policies: RetentionPolicies;
    readonly holds: LegalHoldStore;
    readonly upkeep: Caller<RetentionCalls>;
  }) {
    this.#policies = parts.policies;
    this.#holds = parts.holds;
    this.#upkeep = parts.upkeep;
  }

  get policies(): Pick<RetentionPolicies, 'list' | 'get'> {
    return this.#policies;
  }

  get holds(): Pick<LegalHoldStore, 'list' | 'get' | 'heldBy'> {
    return this.#holds;
  }

  /** Holds when it resolves: nothing goes by what was before. @throws as RetentionPolicies.put, `thread.timeout` */
  async putPolicy(draft: RetentionPolicyDraft, actor: Actor): Promise<RetentionPolicy> {
    const policy = await this.#policies.put(draft, actor);
    await this.#upkeep.call('retentionChanged', null);
    return policy;
  }

  /** @throws SelsynError `retention-policy.not-found`, `thread.timeout` */
  async removePolicy(name: string, actor: Actor): Promise<void> {
    await this.#policies.remove(name, actor);
    await this.#upkeep.call('retentionChanged', null);
  }

  /**
   * In force when it resolves: what there is then of what it covers stays.
   *
   * @throws as LegalHoldStore.create; `thread.timeout` where something that was under way may not have ended: the hold is made
   */
  async hold(target: HoldTarget, reason: string, actor: Actor, scope: Scope): Promise<LegalHold> {
    const hold = await this.#holds.create(target, reason, actor, scope);
    await this.#upkeep.call('retentionChanged', null);
    return hold;
  }

  /** @throws SelsynError `hold.active` where a hold covers one of them */
  async requireFree(devices: readonly string[]): Promise<void> {
    await this.#holds.requireFree(devices);
  }

  /** @throws SelsynError `hold.not-found` */
  async release(id: number, actor: Actor, scope: Scope): Promise<LegalHold> {
    return await this.#holds.release(id, actor, scope);
  }

  /**
   * What would go now. @param changed policies that are put in the place of those with their names, or beside them
   * @throws SelsynError `request.invalid`, `thread.timeout`
   */
  async plan(changed: readonly RetentionPolicyDraft[]): Promise<RetentionPlan> {
    if (changed.length === 0) return await this.#upkeep.call('retentionPlan', {});
    return await this.#upkeep.call('retentionPlan', { policies: await this.#policies.with(changed) });
  }

  async run(): Promise<PassReport> {
    return await this.#upkeep.call('retentionRun', null);
  }

  async status(letGo: number): Promise<RetentionStatus> {
    return await this.#upkeep.call('retentionStatus', { letGo });
  }

  async confirmClock(): Promise<void> {
    await this.#upkeep.call('confirmClock', null);
  }

  async storage(): Promise<StorageReport> {
    return await this.#upkeep.call('storage', null);
  }
}
