import { isDeviceId } from '../kernel/device-id.ts';
import type { AccessGranted, AccessRequest } from './access-decision.ts';

/**
 * Lets everyone in, to every topic: `access.mode=open`, for first steps and benches on the loopback interface.
 *
 * The id is the username where that is a device id, otherwise `anonymous`. Sessions share one namespace, so that a
 * second connection with the same client id takes over as the protocol has it.
 */
export class OpenAuthorizer {
  async authenticate(request: AccessRequest): Promise<AccessGranted> {
    const { username } = request;
    return new OpenPrincipal(username !== undefined && isDeviceId(username) ? username : 'anonymous');
  }
}

class OpenPrincipal implements AccessGranted {
  readonly id: string;
  readonly sessionNamespace = '';

  constructor(id: string) {
    this.id = id;
  }

  mayPublish(): boolean {
    return true;
  }

  maySubscribe(): boolean {
    return true;
  }
}
