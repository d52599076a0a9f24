import type { FastifyPluginAsync } from 'fastify';
import type { AuditTrail } from '../../../audit/audit-trail.ts';
import type { CommandCalls } from '../../../commands/command-calls.ts';
import type { ExecutionCalls } from '../../../jobs/execution-calls.ts';
import type { LogLines } from '../../../kernel/log-lines.ts';
import type { Caller } from '../../../kernel/thread-channel.ts';
import type { SealedText } from '../../../people/sealed-text.ts';
import type { ShadowCalls } from '../../../shadows/shadow-calls.ts';
import type { ShadowStore } from '../../../shadows/shadow-store.ts';
import { AwsAccess, type DeviceGroups } from './aws-access.ts';
import { answerAsAws } from './aws-answers.ts';
import type { AwsCaller } from './aws-caller.ts';
import { AwsAuthentication, type AwsAuthenticationDependencies } from './aws-authentication.ts';
import { operationsOf } from './aws-requests.ts';
import { addCommandOperations } from './command-operations.ts';
import { addConnectionOperations } from './connection-operations.ts';
import { deviceOfTopic } from './device-of-topic.ts';
import { addJobOperations } from './job-operations.ts';
import { addMessageOperations } from './message-operations.ts';
import type { Connections, Messaging } from './messaging.ts';
import { addShadowOperations } from './shadow-operations.ts';

/** What is asked of the thread of the state. */
export type AwsStateCalls = Pick<ShadowCalls, 'awsShadow'> &
  Pick<ExecutionCalls, 'askJobs'> &
  Pick<CommandCalls, 'sendCommand' | 'awaitCommand'>;

export interface AwsRoutesDependencies extends AwsAuthenticationDependencies {
  readonly state: Caller<AwsStateCalls>;
  readonly shadowStore: Pick<ShadowStore, 'list'>;
  readonly devices: DeviceGroups;
  readonly messaging: Messaging;
  readonly connections: Connections;
  readonly audit: Pick<AuditTrail, 'record'>;
  /** Of a message: what the broker takes. */
  readonly maxPayloadBytes: number;
  readonly cursors: Pick<SealedText, 'seal' | 'open'>;
  readonly logLines: LogLines;
}

/**
 * What AWS's SDKs know as the data planes of IoT (`iotdata`) and of IoT jobs (`iot-jobs-data`), both at one endpoint. Asks for no key of
 * the API: requests are signed with access keys, or come with the certificate of a device.
 */
export function awsRoutes(dependencies: AwsRoutesDependencies): FastifyPluginAsync {
  const { state, shadowStore, devices, messaging, connections, audit, maxPayloadBytes, cursors, logLines, clock } = dependencies;
  const access = new AwsAccess({ devices });
  const authentication = new AwsAuthentication(dependencies);
  const now = (): number => clock.now();
  return async (app) => {
    answerAsAws(app, logLines);
    app.removeAllContentTypeParsers();
    app.addContentTypeParser('*', { parseAs: 'buffer', bodyLimit: maxPayloadBytes }, (_request, body, done) => done(null, body));
    const add = operationsOf(app, authentication, maxPayloadBytes);
    addShadowOperations(add, { shadows: state, shadowStore, access, now });
    addJobOperations(add, { jobs: { ask: async (request) => await state.call('askJobs', request) }, access });
    addCommandOperations(add, { commands: state, access, now });
    const onProgramRequest = async (topic: string, { actor }: AwsCaller): Promise<void> => {
      const device = deviceOfTopic(topic);
      const group = device === undefined ? '/' : ((await devices.groupOf([device])).get(device) ?? '/');
      const object = device === undefined ? { kind: 'topic', id: topic } : { kind: 'device', id: device };
      await audit.record([{ actor, action: 'message.publish', object, group, after: { topic } }]);
    };
    addConnectionOperations(add, { connections, access, onProgramRequest }, now);
    addMessageOperations(add, {
      messaging,
      access,
      cursors,
      onProgramRequest,
    });
  };
}
