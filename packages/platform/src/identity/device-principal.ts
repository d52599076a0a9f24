import { parseSharedFilter } from '@selsyn/wire/topics/topic-filter.ts';
import { THINGSBOARD_TELEMETRY } from '@selsyn/wire/topics/thingsboard-topics.ts';
import type { AccessGranted } from './access-decision.ts';
import type { CompiledPolicies } from './policies/compiled-policies.ts';
import type { VariableValues } from './policies/topic-pattern.ts';

/**
 * A device that showed who it is: it may do what its policies say, as they were when it was asked.
 *
 * A shared subscription is judged by the filter behind its group. A group is named by its group and its filter together
 * [MQTT-4.8.2-4]: where the filter holds the device's id, no two devices are ever members of one.
 */
export class DevicePrincipal implements AccessGranted {
  readonly id: string;
  readonly clientId: string;
  readonly credentialId: string | undefined;
  /** Of the token that it proved to have; undefined: it showed a certificate. */
  readonly tokenHash: string | undefined;
  readonly #policies: CompiledPolicies;
  readonly #values: VariableValues;

  constructor(options: {
    readonly id: string;
    readonly clientId: string;
    readonly credentialId?: string | undefined;
    readonly tokenHash?: string | undefined;
    readonly policies: CompiledPolicies;
    readonly values: VariableValues;
  }) {
    this.id = options.id;
    this.clientId = options.clientId;
    this.credentialId = options.credentialId;
    this.tokenHash = options.tokenHash;
    this.#policies = options.policies;
    this.#values = options.values;
  }

  /** Two devices may use the same client id without taking over each other's session. */
  get sessionNamespace(): string {
    return this.id;
  }

  mayPublish(topic: string): boolean {
    if (this.#policies.allowsTopic('publish', topic, this.#values)) return true;
    // Another name of the device's own telemetry, so that who may send that may send it here.
    return THINGSBOARD_TELEMETRY.has(topic) && this.#policies.allowsTopic('publish', `telemetry/${this.id}`, this.#values);
  }

  mayRetain(topic: string): boolean {
    return this.#policies.allowsTopic('retain', topic, this.#values);
  }

  maySubscribe(filter: string): boolean {
    return this.#policies.allowsFilter(parseSharedFilter(filter)?.filter ?? filter, this.#values);
  }

  mayReceive(topic: string): boolean {
    return this.#policies.allowsTopic('receive', topic, this.#values);
  }
}
