import { Button, NativeSelect, TextInput } from '@mantine/core';
import { useMutation, useQuery } from '@tanstack/react-query';
import { useState, type FormEvent } from 'react';
import { ACCESS_ACTIONS, explainAccess, fetchDenials, type AccessAction, type AccessQuestion } from '../api/device-access.ts';
import { useServices } from '../app/services.ts';
import { useWho } from '../session/who.ts';
import { ProblemNotice } from '../ui/problem-notice.tsx';
import { When } from '../ui/when.tsx';
import { AccessVerdict } from './access-verdict.tsx';
import styles from './access-tab.module.css';

const SUBJECTS: Readonly<Record<AccessAction, string>> = {
  connect: 'Client id',
  publish: 'Topic',
  retain: 'Topic',
  subscribe: 'Topic filter',
  receive: 'Topic',
};
const SHOWN_DENIALS = 6;

/** Why was this denied? What the server decides of a request of a device, and by which statement. */
export function AccessTab({ device }: { readonly device: string }) {
  const { client } = useServices();
  const { may } = useWho();
  const [action, setAction] = useState<AccessAction>('publish');
  const [subject, setSubject] = useState(`telemetry/${device}`);
  const [clientId, setClientId] = useState('');
  const explain = useMutation({ mutationFn: async (question: AccessQuestion) => await explainAccess(client, device, question) });
  const denials = useQuery({
    queryKey: ['denials', device],
    queryFn: ({ signal }) => fetchDenials(client, device, signal),
    enabled: may('clients:read'),
    retry: false,
  });
  const ask = (question: AccessQuestion) =>
    explain.mutate({ ...question, ...(clientId !== '' && question.action !== 'connect' && { clientId }) });
  return (
    <section className={styles.access} aria-label="Access">
      <div>
        <h2>May {device} do this?</h2>
        <p className={styles.note}>
          The answer names the statement that decides, for what is refused and for what is let through.
        </p>
      </div>
      <form
        className={styles.form}
        onSubmit={(event: FormEvent) => {
          event.preventDefault();
          ask({ action, subject });
        }}
      >
        <NativeSelect
          label="Action"
          data={[...ACCESS_ACTIONS]}
          value={action}
          onChange={(event) => setAction(ACCESS_ACTIONS.find((each) => each === event.currentTarget.value) ?? 'publish')}
        />
        <TextInput
          className={styles.subject}
          label={SUBJECTS[action]}
          spellCheck={false}
          autoComplete="off"
          value={subject}
          onChange={(event) => setSubject(event.currentTarget.value)}
        />
        {action !== 'connect' && (
          <TextInput
            label="Client id"
            placeholder={device}
            spellCheck={false}
            autoComplete="off"
            value={clientId}
            onChange={(event) => setClientId(event.currentTarget.value)}
          />
        )}
        <Button type="submit" loading={explain.isPending} disabled={subject === ''}>
          Explain
        </Button>
      </form>
      {denials.data !== undefined && denials.data.length > 0 && (
        <div className={styles.denials}>
          <span>Denied lately:</span>
          {denials.data.slice(0, SHOWN_DENIALS).map((denial) => (
            <button
              key={`${denial.action} ${denial.subject}`}
              type="button"
              onClick={() => {
                const denied = denial.action === 'subscribe' ? 'subscribe' : 'publish';
                setAction(denied);
                setSubject(denial.subject);
                ask({ action: denied, subject: denial.subject });
              }}
            >
              <code>
                {denial.action} {denial.subject}
              </code>{' '}
              <When timeMs={denial.lastAtMs} />
            </button>
          ))}
        </div>
      )}
      {explain.error !== null && <ProblemNotice error={explain.error} />}
      {explain.data !== undefined && <AccessVerdict answer={explain.data} />}
    </section>
  );
}
