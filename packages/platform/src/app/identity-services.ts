import { AuditTrail } from '../audit/audit-trail.ts';
import type { Database } from '../database/schema.ts';
import { DeviceTokens } from '../identity/device-tokens.ts';
import { AccessExplainer } from '../identity/policies/access-explanation.ts';
import { PolicyStore } from '../identity/policies/policy-store.ts';
import type { Clock } from '../kernel/clock.ts';
import type { LogLines } from '../kernel/log-lines.ts';
import type { RandomBytes } from '../kernel/secret.ts';
import type { Signing } from '../pki/signing.ts';
import { Provisioning } from '../provisioning/provisioning.ts';
import type { ConnectivityChange } from '../registry/connectivity-store.ts';
import { DeviceStore } from '../registry/device-store.ts';
import { AccessBroadcast } from './access-broadcast.ts';
import { ConnectedDevices } from './connected-devices.ts';
import { ControlDesk } from './control-desk.ts';
import { type EnrolmentDoors, openEnrolmentDoors } from './enrolment-doors.ts';
import { openPki, type PlatformPki } from './pki-wiring.ts';

/** Who devices are, and what they may do: all that main does for it. */
export interface IdentityServices {
  readonly trail: AuditTrail;
  readonly devices: DeviceStore;
  readonly tokens: DeviceTokens;
  readonly policies: PolicyStore;
  readonly explainer: AccessExplainer;
  readonly access: AccessBroadcast;
  readonly pki: PlatformPki;
  readonly provisioning: Provisioning;
  /** The ways in besides MQTT. */
  readonly enrolment: EnrolmentDoors;
  /** Where gateway threads ask. */
  readonly desk: ControlDesk;
  readonly connected: Pick<ConnectedDevices, 'registered'>;
}

/** Puts them together. What ends before the database does is added to `ending`. */
export function openIdentityServices(options: {
  readonly database: Database;
  readonly clock: Clock;
  readonly random: RandomBytes;
  /** Keeps who came and went. */
  readonly onPresence: (changes: readonly ConnectivityChange[]) => Promise<void>;
  /** Somebody listens to what hosts of Sparkplug say. */
  readonly onSparkplugWanted: () => Promise<void>;
  readonly logLines: LogLines;
  readonly signing: Signing;
  /** See the settings of these names. */
  readonly certificateDays: number;
  readonly serverAuthority: 'issuing' | 'local';
  readonly ending: AsyncDisposableStack;
}): IdentityServices {
  const { database, clock, random, logLines, ending } = options;
  const trail = new AuditTrail({ database, clock });
  const access = new AccessBroadcast(logLines);
  const pki = openPki({
    ...options,
    access,
    hasTemplate: async (name) => (await provisioning.templates.find(name)) !== undefined,
  });
  const provisioning = ending.use(
    new Provisioning({
      database,
      clock,
      random,
      trail,
      logLines,
      certificates: pki.certificates,
      onAccessChanged: async (principals) => {
        access.changed(principals);
        await access.settled();
      },
    }),
  );
  provisioning.start();
  const devices = new DeviceStore({
    database,
    clock,
    onRemoving: async (ids, actor, transaction) => {
      await pki.certificates.revokeOfDevices(ids, { actor }, transaction);
      await policies.forgetDevices(ids, transaction);
    },
  });
  const tokens = new DeviceTokens({ database, clock, random });
  const enrolment = openEnrolmentDoors({ database, clock, random, trail, logLines, provisioning, pki, deviceTokens: tokens });
  const policies = new PolicyStore({ database, clock, trail, onAccessChanged: access.changed });
  const explainer = new AccessExplainer({ database, clock });
  const connected = new ConnectedDevices(options.onPresence);
  const desk = ending.use(
    new ControlDesk(
      {
        answerRequest: async (request) => await provisioning.fleet.answer(request),
        registerJustInTime: async (der) => await enrolment.justInTime.register(der),
        certificateUsed: async (id) => await pki.certificates.credentialUsed(id),
        presence: async (thread, report) => await connected.apply(thread, report),
        sparkplugWanted: options.onSparkplugWanted,
      },
      logLines,
    ),
  );
  return { trail, devices, tokens, policies, explainer, access, pki, provisioning, enrolment, desk, connected };
}
