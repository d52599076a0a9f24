import { groupsWith } from '../api/who.ts';
import { useWho } from '../session/who.ts';
import { EmptyNote } from './empty-note.tsx';

interface NotAllowedProps {
  readonly permission: string;
  /** Where it is needed; absent: at any node. */
  readonly at?: string | undefined;
}

/** Says what somebody lacks to see this. */
export function NotAllowed({ permission, at }: NotAllowedProps) {
  const { who } = useWho();
  const has = groupsWith(who, permission);
  return (
    <EmptyNote
      title={`This takes the permission ${permission}${at === undefined ? '' : ` at ${at}`}`}
      command={
        who.kind === 'user'
          ? { title: 'What an administrator types', command: `npx selsyn user grant ${who.name} ROLE --at ${at ?? 'GROUP'}` }
          : undefined
      }
    >
      {has.length === 0 ? `${who.name} does not have it anywhere.` : `${who.name} has it at ${has.join(', ')}.`}
    </EmptyNote>
  );
}
