import { Button, Popover, UnstyledButton } from '@mantine/core';
import { useMutation } from '@tanstack/react-query';
import { Problem } from '../api/problem.ts';
import { endSession } from '../api/sign-in.ts';
import { useWho } from '../session/who.ts';
import { Icon } from '../ui/icons.tsx';
import { ProblemNotice } from '../ui/problem-notice.tsx';
import { useServices } from './services.ts';
import styles from './user-menu.module.css';

/** Who is signed in, what they may do where, and the way out. */
export function UserMenu() {
  const { client, session } = useServices();
  const { who } = useWho();
  const signOut = useMutation({
    mutationFn: async () => {
      if (session.key() === undefined) await endSession(client).catch(unlessEnded);
    },
    onSuccess: () => session.signOut('none'),
  });
  return (
    <Popover position="bottom-end" shadow="md" radius={8} trapFocus>
      <Popover.Target>
        <UnstyledButton className={styles.button} aria-label={`Signed in as ${who.name}`} data-testid="signed-in-as">
          <Icon name="person" />
          <span className={styles.name}>{who.name}</span>
        </UnstyledButton>
      </Popover.Target>
      <Popover.Dropdown className={styles.menu}>
        <strong>{who.name}</strong>
        <span className={styles.kind}>{who.kind === 'user' ? 'User' : 'API key'}</span>
        <ul className={styles.grants}>
          {who.grants.map((grant) => (
            <li key={`${grant.role ?? ''} ${grant.group}`}>
              {grant.role ?? `${grant.permissions.size} permissions`} at <code>{grant.group}</code>
            </li>
          ))}
          {who.grants.length === 0 && <li>No role anywhere: an administrator can grant one.</li>}
        </ul>
        {signOut.error !== null && <ProblemNotice error={signOut.error} />}
        <Button variant="default" leftSection={<Icon name="exit" />} loading={signOut.isPending} onClick={() => signOut.mutate()}>
          Sign out
        </Button>
      </Popover.Dropdown>
    </Popover>
  );
}

/** A session that is over already needs no end. */
function unlessEnded(error: unknown): void {
  if (error instanceof Problem && (error.status === 401 || error.status === 404)) return;
  throw error;
}
