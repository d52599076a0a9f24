import { CompiledPolicies } from './policies/compiled-policies.ts';
import type { AccessGranted } from './access-decision.ts';

/** Whoever holds a claim certificate: it may ask for a certificate of its own, and nothing else. */
export class ClaimPrincipal implements AccessGranted {
  readonly id: string;
  readonly sessionNamespace: string;
  readonly credentialId: string;
  /** A hundred thousand units come once and never again; and nothing that is told to one, as its key, is ever stored. */
  readonly maxSessionExpirySec = 0;

  constructor(certificateId: string) {
    this.credentialId = certificateId;
    // No device id has a slash.
    this.id = `claim/${certificateId.slice(0, 16)}`;
    this.sessionNamespace = this.id;
  }

  mayPublish(topic: string): boolean {
    return CLAIM_POLICIES.allowsTopic('publish', topic, NO_VALUES);
  }

  mayRetain(): boolean {
    return false;
  }

  maySubscribe(filter: string): boolean {
    return CLAIM_POLICIES.allowsFilter(filter, NO_VALUES);
  }

  mayReceive(topic: string): boolean {
    return CLAIM_POLICIES.allowsTopic('receive', topic, NO_VALUES);
  }
}

const NO_VALUES: readonly string[] = [];
const CLAIM_POLICIES = new CompiledPolicies([
  {
    name: 'claim',
    document: {
      statements: [
        {
          effect: 'allow',
          actions: ['publish'],
          topics: [
            '$aws/certificates/create/+',
            '$aws/certificates/create-from-csr/+',
            '$aws/provisioning-templates/+/provision/+',
          ],
        },
        {
          effect: 'allow',
          actions: ['subscribe'],
          topics: [
            '$aws/certificates/create/#',
            '$aws/certificates/create-from-csr/#',
            '$aws/provisioning-templates/+/provision/#',
          ],
        },
      ],
    },
  },
]);
