import type { CertificateRules } from '../checks/certificate-checks.ts';
import type { ClientFacts } from '../checks/client-checks.ts';
import type { Config } from './config-schema.ts';
import type { GatewayCalls } from './gateway-thread.ts';
import type { Thread } from './thread.ts';

/** What the audit checks go by. */
export function checkRules({ checks }: Config): CertificateRules {
  return { expiringWithinMs: checks.expiringWithinDays * DAY_MS, maxAgeMs: checks.maxCertificateAgeDays * DAY_MS };
}

const DAY_MS = 86_400_000;

/** What the audit checks ask of all gateway threads. */
export function clientFactsOf(gateways: readonly Thread<GatewayCalls, null>[]): ClientFacts {
  return {
    credentialUses: async () =>
      (await Promise.all(gateways.map(async ({ calls }) => await calls.call('credentialUses', null)))).flat(),
    takenOver: async (atLeast) =>
      (await Promise.all(gateways.map(async ({ calls }) => await calls.call('takenOver', atLeast)))).flat(),
  };
}
