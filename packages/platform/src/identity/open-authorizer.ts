import { isDeviceId } from '../kernel/device-id.ts';
import type { AccessGranted, AccessRequest } from './access-decision.ts';
import {
  NO_EXCEPTIONS,
  policyAllowsPublish,
  policyAllowsReceive,
  policyAllowsSubscribe,
  type OpenPolicy,
} from './open-policy.ts';
import { nameOfUsername } from './username.ts';

/**
 * Lets everyone in, to every topic but those of the policy: `access.mode=open`, for first steps and benches on the loopback
 * interface.
 *
 * The id is the username where that is a device id, otherwise `anonymous`. Sessions share one namespace, so that a
 * second connection with the same client id takes over as the protocol has it. There are no credentials to prove, so it knows no
 * method of enhanced authentication.
 */
export class OpenAuthorizer {
  readonly #policy: OpenPolicy;

  constructor(policy: OpenPolicy = NO_EXCEPTIONS) {
    this.#policy = policy;
  }

  async authenticate(request: Pick<AccessRequest, 'username'>): Promise<AccessGranted> {
    const name = nameOfUsername(request.username);
    return new OpenPrincipal(isDeviceId(name) ? name : 'anonymous', this.#policy);
  }
}

class OpenPrincipal implements AccessGranted {
  readonly id: string;
  readonly sessionNamespace = '';
  readonly #policy: OpenPolicy;

  constructor(id: string, policy: OpenPolicy) {
    this.id = id;
    this.#policy = policy;
  }

  mayPublish(topic: string): boolean {
    return policyAllowsPublish(this.#policy, topic);
  }

  maySubscribe(filter: string): boolean {
    return policyAllowsSubscribe(this.#policy, filter);
  }

  mayReceive(topic: string): boolean {
    return policyAllowsReceive(this.#policy, topic);
  }
}
