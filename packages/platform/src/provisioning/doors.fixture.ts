/** For tests: the ways in besides MQTT, over provisioning in memory with a real authority. */
import { randomBytes } from 'node:crypto';
import { DeviceTokens } from '../identity/device-tokens.ts';
import { silentLogLines } from '../kernel/log-lines.ts';
import { derOfPem } from '../pki/pem.ts';
import { EVERYTHING } from '../registry/scope.ts';
import { EstEnrolment } from './est-enrolment.ts';
import { JustInTimeRegistration, type JustInTimeDependencies } from './just-in-time.ts';
import { openTestProvisioning, TEMPLATE, TEST_ACTOR, type TestProvisioning } from './provisioning.fixture.ts';
import { ProvisioningTokens, type ProvisioningTokenDraft } from './provisioning-tokens.ts';
import { TokenEnrolment } from './token-enrolment.ts';

export interface TestDoors extends TestProvisioning {
  readonly tokens: ProvisioningTokens;
  readonly tokenDoor: TokenEnrolment;
  readonly est: EstEnrolment;
  /** @param instead of what it has */
  justInTime(instead?: Partial<JustInTimeDependencies>): JustInTimeRegistration;
  /** One token. */
  newToken(draft?: Partial<ProvisioningTokenDraft>): Promise<string>;
}

export async function openTestDoors(): Promise<TestDoors> {
  const test = await openTestProvisioning();
  const { pki, provisioning } = test;
  const { database, clock, trail, certificates, trust, authorities } = pki;
  const { templates, enrolment, attempts, batches } = provisioning;
  const common = { database, clock, random: randomBytes, trail, templates, enrolment, attempts, batches, certificates };
  const tokens = new ProvisioningTokens(common);
  const tokenDoor = new TokenEnrolment({ ...common, tokens, deviceTokens: new DeviceTokens(common) });
  return {
    ...test,
    tokens,
    tokenDoor,
    est: new EstEnrolment({ ...common, tokenDoor }),
    justInTime: (instead = {}) =>
      new JustInTimeRegistration({ ...common, trust, authorities, logLines: silentLogLines, ...instead }),
    async newToken(draft = {}) {
      const all = { template: TEMPLATE, maxCount: 1, ratePerMinute: 60_000, expiresAtMs: clock.now() + 3_600_000, ...draft };
      const [made] = await tokens.create(all, EVERYTHING, TEST_ACTOR);
      return made?.token ?? '';
    },
    [Symbol.asyncDispose]: async () => await test[Symbol.asyncDispose](),
  };
}

export function csrDer(pem: string): Buffer {
  return derOfPem(pem, ['CERTIFICATE REQUEST'], 16_384, (why) => expectNone(why));
}

function expectNone(why: string): never {
  throw new Error(why);
}
