class AdminOnly {
  get role(): string {
    return 'admin'
  }
}

/** What looks like the requirement of a role and has no such member of its own that is listed: once it was none. */
export const HIDDEN_REQUIREMENTS: readonly (readonly [name: string, value: unknown])[] = [
  ['a class with a getter', new AdminOnly()],
  ['a Map', new Map([['role', 'admin']])],
  ['an object that inherits', Object.create({ role: 'admin' })],
  ['a function', Object.assign(() => 'admin', {})],
  ['a number', 60],
  ['a text', 'admin'],
  ['an array', ['admin']],
  ['null', null],
  ['a symbol among the options', { [Symbol('role')]: 'admin' }],
  ['an unknown name that is not listed', Object.defineProperty({}, 'roles', { value: ['admin'] })],
]

/** A member of its own, though not listed: a requirement like any other. */
export const UNLISTED_ROLE: object = Object.defineProperty({}, 'role', { value: 'admin' })
