/** `gatebook/testing`: for the tests of applications. No test runner is needed, and each one fits. */
export type { ExpectedEvent, ExpectedMembers } from './expected-event.ts'
export { createFakeClock, type FakeClock } from './fake-clock.ts'
export {
  createTestGatebook,
  type SignedIn,
  TEST_PASSWORD,
  type TestGatebook,
  type TestGatebookOptions,
  type TestUser,
} from './test-gatebook.ts'
