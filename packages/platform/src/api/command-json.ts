import { z } from 'zod';
import { COMMAND_STATES, type Command } from '../commands/command.ts';

const state = z.enum(COMMAND_STATES as [string, ...string[]]);
const answer = z.object({
  outcome: z.enum(['succeeded', 'failed']),
  payload: z.unknown().optional().describe('What the device said: JSON, or a text, or `{"base64": "…"}`.'),
  reason: z.string().optional(),
  atMs: z.number(),
});

export const commandSchema = z
  .object({
    id: z.string().describe('By which the device drops doubles. Ids are in the order in which commands were given.'),
    number: z.number().int().describe('The id for devices whose protocol has room for a number alone.'),
    device: z.string(),
    name: z.string(),
    payload: z.unknown().optional(),
    state,
    oneWay: z.boolean().describe('Done once the device has it.'),
    sends: z.number().int().describe('How often it went out to the device.'),
    createdAtMs: z.number(),
    sendUntilMs: z.number().describe('It is not sent any more from then on.'),
    expiresAtMs: z.number().describe('No answer counts any more from then on.'),
    finishedAtMs: z.number().optional(),
    reason: z.string().optional().describe('Why it failed or expired.'),
    history: z.array(z.object({ state, atMs: z.number() })).describe('The states it has been in, each with its time.'),
    progress: z
      .object({ payload: z.unknown().optional(), atMs: z.number() })
      .optional()
      .describe('What the device said last while it was at it.'),
    answer: answer.optional(),
    lateAnswer: answer.optional().describe('Came after the command had expired or was cancelled: it does not count.'),
    createdBy: z.object({ kind: z.string(), id: z.string(), name: z.string() }),
  })
  .describe('A command.');

export function commandToJson(command: Command): z.output<typeof commandSchema> {
  const { history, ...rest } = command;
  return { ...rest, history: history.map((entry) => ({ ...entry })) };
}
