import type { CommandCalls } from '../../../commands/command-calls.ts';
import { COMMAND_NAME_PATTERN, type Command, type CommandDraft } from '../../../commands/command.ts';
import { isSelsynError } from '../../../kernel/errors.ts';
import type { Caller } from '../../../kernel/thread-channel.ts';
import type { AwsAccess } from './aws-access.ts';
import { sendJson } from './aws-answers.ts';
import { AwsError, forbidden } from './aws-error.ts';
import type { AddOperation } from './aws-requests.ts';
import { jsonObjectOf } from './json-body.ts';

export interface CommandOperationsDependencies {
  readonly commands: Caller<Pick<CommandCalls, 'sendCommand' | 'awaitCommand'>>;
  readonly access: AwsAccess;
  readonly now: () => number;
}

const COMMAND_ARN = /^arn:[a-z-]+:iot:[a-z0-9-]*:\d*:command\/(.+)$/;
const THING_ARN = /^arn:[a-z-]+:iot:[a-z0-9-]*:\d*:thing\/(.+)$/;
/** AWS's default and bounds, see "Command execution timeout" in the developer guide. */
const DEFAULT_TIMEOUT_SEC = 10;
const MAX_TIMEOUT_SEC = 43_200;
const CLIENT_TOKEN = /^[\x21-\x7e]{1,64}$/;

/**
 * StartCommandExecution. Selsyn has no commands that are created beforehand: the name in `commandArn` is the name of the command, the
 * thing in `targetArn` its device, and the parameters are its payload.
 */
export function addCommandOperations(add: AddOperation, { commands, access, now }: CommandOperationsDependencies): void {
  add('POST', '/command-executions', async ({ caller, body }, reply) => {
    // It is for those who run devices: AWS has no topic by which a device would do it.
    if (caller.kind === 'device') throw forbidden();
    const asked = readExecution(jsonObjectOf(body));
    const device = await access.ensureThing(caller, asked.thing, { permission: 'commands:write' });
    const group = await access.groupOf(device);
    const draft: CommandDraft = {
      device,
      name: asked.name,
      payload: JSON.stringify(asked.payload),
      expiresAtMs: now() + asked.timeoutSec * 1_000,
      idempotencyKey: asked.clientToken,
    };
    const doer = { actor: caller.actor, group };
    try {
      const { command } = await commands.call('sendCommand', { draft, doer, waitMs: 0 });
      return await sendJson(reply, { executionId: command.id });
    } catch (error) {
      return await sendJson(reply, { executionId: await sameAsBefore(commands, draft, error) });
    }
  });
}

interface AskedExecution {
  readonly thing: string;
  readonly name: string;
  readonly payload: Readonly<Record<string, unknown>>;
  readonly timeoutSec: number;
  readonly clientToken: string | undefined;
}

/** @throws AwsError ValidationException */
function readExecution(body: Readonly<Record<string, unknown>>): AskedExecution {
  const { targetArn, commandArn, parameters = {}, executionTimeoutSeconds, clientToken } = body;
  const [, thing] = THING_ARN.exec(typeof targetArn === 'string' ? targetArn : '') ?? [];
  const [, name] = COMMAND_ARN.exec(typeof commandArn === 'string' ? commandArn : '') ?? [];
  if (thing === undefined) throw invalid('targetArn must be the ARN of a thing, as arn:aws:iot:eu-central-1:1:thing/NAME');
  if (name === undefined || !COMMAND_NAME_PATTERN.test(name))
    throw invalid('commandArn must be the ARN of a command, as arn:aws:iot:eu-central-1:1:command/NAME');
  if (clientToken !== undefined && (typeof clientToken !== 'string' || !CLIENT_TOKEN.test(clientToken)))
    throw invalid('clientToken must be 1 to 64 characters');
  const timeoutSec = executionTimeoutSeconds ?? DEFAULT_TIMEOUT_SEC;
  if (typeof timeoutSec !== 'number' || !Number.isInteger(timeoutSec) || timeoutSec < 1 || timeoutSec > MAX_TIMEOUT_SEC)
    throw invalid(`executionTimeoutSeconds must be 1 to ${MAX_TIMEOUT_SEC}`);
  return { thing, name, payload: payloadOf(parameters), timeoutSec, clientToken };
}

/** `{"level": {"I": 3}}` is `{"level": 3}`. Bytes are base64, an unsigned long a text, as they come. */
function payloadOf(parameters: unknown): Readonly<Record<string, unknown>> {
  if (typeof parameters !== 'object' || parameters === null || Array.isArray(parameters))
    throw invalid('parameters must be a map');
  return Object.fromEntries(
    Object.entries(parameters).map(([name, given]: [string, unknown]) => {
      const values = typeof given === 'object' && given !== null ? Object.entries(given as Record<string, unknown>) : [];
      const [only, ...more] = values.filter(([type]) => type in TYPES);
      if (only === undefined || more.length > 0) throw invalid(`the parameter ${name} must have one value`);
      const [type, value] = only;
      if (typeof value !== TYPES[type as keyof typeof TYPES])
        throw invalid(`the parameter ${name} has a value that is no ${type}`);
      return [name, value];
    }),
  );
}

const TYPES = { S: 'string', B: 'boolean', I: 'number', L: 'number', D: 'number', BIN: 'string', UL: 'string' } as const;

/**
 * An SDK that got no answer sends a request again with the same clientToken: then it expires later, but is the same.
 *
 * @returns the id of the command that was there. @throws AwsError ConflictException and others
 */
async function sameAsBefore(
  commands: CommandOperationsDependencies['commands'],
  draft: CommandDraft,
  error: unknown,
): Promise<string> {
  if (isSelsynError(error, 'command.queue-full')) throw new AwsError('ServiceQuotaExceededException', error.message);
  if (isSelsynError(error, 'request.invalid')) throw invalid(error.message);
  if (!isSelsynError(error, 'command.key-used')) throw error;
  const id = String(error.details['command']);
  const before: Command = await commands.call('awaitCommand', { device: draft.device, id, waitMs: 0 });
  if (before.name === draft.name && JSON.stringify(before.payload) === draft.payload) return id;
  throw new AwsError('ConflictException', 'The clientToken was used for another execution', { resourceId: id });
}

function invalid(message: string): AwsError {
  return new AwsError('ValidationException', message);
}
