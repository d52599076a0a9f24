import { readFileSync } from 'node:fs';
import type { AuditTrail } from '../audit/audit-trail.ts';
import type { Database } from '../database/schema.ts';
import type { DeviceTokens } from '../identity/device-tokens.ts';
import type { Clock } from '../kernel/clock.ts';
import type { LogLines } from '../kernel/log-lines.ts';
import type { RandomBytes } from '../kernel/secret.ts';
import { AddressPace } from '../gateways/http/address-pace.ts';
import type { DeviceRoutesDependencies } from '../gateways/http/device-routes.ts';
import { type EndpointDoor, PublicEndpoints } from '../gateways/http/public-endpoints.ts';
import { WEBSOCKET_PATH } from '../gateways/mqtt/websocket-upgrade.ts';
import type { DoorPorts } from '../gateways/mqtt/mqtt-gateway.ts';
import type { PkiServices } from '../pki/pki-services.ts';
import { EstEnrolment } from '../provisioning/est-enrolment.ts';
import { JustInTimeRegistration } from '../provisioning/just-in-time.ts';
import type { Provisioning } from '../provisioning/provisioning.ts';
import { ProvisioningTokens } from '../provisioning/provisioning-tokens.ts';
import { TokenEnrolment } from '../provisioning/token-enrolment.ts';
import type { Config } from './config-schema.ts';
import { doorAddresses } from './doors.ts';

/** The ways in besides MQTT. */
export interface EnrolmentDoors {
  readonly tokens: ProvisioningTokens;
  readonly tokenDoor: TokenEnrolment;
  readonly est: EstEnrolment;
  readonly justInTime: JustInTimeRegistration;
}

export function openEnrolmentDoors(options: {
  readonly database: Database;
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly trail: AuditTrail;
  readonly logLines: LogLines;
  readonly provisioning: Provisioning;
  readonly pki: Pick<PkiServices, 'certificates' | 'authorities' | 'trust'>;
  readonly deviceTokens: DeviceTokens;
}): EnrolmentDoors {
  const { provisioning, pki } = options;
  const { templates, enrolment, attempts, batches } = provisioning;
  const tokens = new ProvisioningTokens({ ...options, templates });
  const common = { ...options, ...pki, templates, enrolment, attempts, batches };
  const tokenDoor = new TokenEnrolment({ ...common, tokens });
  return {
    tokens,
    tokenDoor,
    est: new EstEnrolment({ ...common, tokenDoor }),
    justInTime: new JustInTimeRegistration(common),
  };
}

/** What the routes for devices need. */
export function deviceRoutesDependencies(options: {
  readonly config: Config;
  readonly identity: {
    readonly enrolment: EnrolmentDoors;
    readonly provisioning: Provisioning;
    readonly pki: Pick<PkiServices, 'certificates' | 'signing'>;
  };
  readonly ports: DoorPorts & { readonly https?: number | undefined };
  /** The file of what clients are to trust. */
  readonly caFile: () => string | undefined;
  readonly clock: Clock;
  readonly logLines: LogLines;
}): DeviceRoutesDependencies {
  const { config, caFile, clock, logLines } = options;
  const { enrolment: doors, provisioning, pki } = options.identity;
  const { defaultTemplate, endpoints: setting } = config.provisioning;
  return {
    templates: provisioning.templates,
    tokenDoor: doors.tokenDoor,
    est: doors.est,
    signing: pki.signing,
    certificates: pki.certificates,
    endpoints: new PublicEndpoints({ doors: endpointDoors(config, options.ports), setting }),
    trustedPem: () => {
      const file = caFile();
      return file === undefined ? undefined : readFileSync(file, 'utf8');
    },
    defaultTemplate,
    pace: new AddressPace(clock),
    logLines,
  };
}

function endpointDoors(config: Config, ports: DoorPorts & { readonly https?: number | undefined }): readonly EndpointDoor[] {
  const { tcp, tls, ws, wss } = doorAddresses(config);
  const { https } = config;
  return [
    ...(tcp === undefined ? [] : [{ kind: 'mqtt' as const, host: tcp.host, port: ports.tcp ?? tcp.port }]),
    ...(tls === undefined ? [] : [{ kind: 'mqtts' as const, host: tls.host, port: ports.tls ?? tls.port }]),
    ...(ws === undefined ? [] : [{ kind: 'ws' as const, host: ws.host, port: ports.ws ?? ws.port, path: WEBSOCKET_PATH }]),
    ...(wss === undefined ? [] : [{ kind: 'wss' as const, host: wss.host, port: ports.wss ?? wss.port, path: WEBSOCKET_PATH }]),
    ...(ports.https === undefined ? [] : [{ kind: 'https' as const, host: https.host, port: ports.https }]),
  ];
}
