#!/usr/bin/env escript
%% poolboy, driven as peers.py says. A worker is a gen_server that owns a port of the echo worker.
-module(poolboy_driver).
-mode(compile).
-behaviour(gen_server).
-export([main/1, start_link/1, init/1, handle_call/3, handle_cast/2]).

main([Workload, Workers, Clients, Seconds, EchoWorker]) ->
    Size = list_to_integer(Workers),
    Count = list_to_integer(Clients),
    Program = case Workload of "echo" -> EchoWorker; "checkout" -> none end,
    {ok, Pool} = poolboy:start_link([{worker_module, ?MODULE}, {size, Size}, {max_overflow, 0}],
                                    Program),
    Operation = operation(Workload, Pool),
    Timed = Workload =:= "echo" orelse Count > Size,
    Least = list_to_float(Seconds),
    Round = fun(N) -> round(N, Count, Operation, Timed) end,
    {Done, Elapsed, Longest} = long_enough(1, Least, 0.0, Round),
    io:format("{\"operations\": ~b, \"seconds\": ~.6f", [Done * Count, Elapsed]),
    [io:format(", \"longest_us\": ~.3f", [Longest]) || Timed],
    io:format("}~n").

operation("checkout", Pool) ->
    fun() -> poolboy:checkin(Pool, poolboy:checkout(Pool, true, 60000)) end;
operation("echo", Pool) ->
    Payload = iolist_to_binary(["{\"text\":\"", lists:duplicate(89, $x), "\"}"]),
    fun() ->
        Worker = poolboy:checkout(Pool, true, 60000),
        Payload = gen_server:call(Worker, Payload, 60000),
        poolboy:checkin(Pool, Worker)
    end.

%% Rounds of twice the length, until two in a row last so long: all but the last warm up.
long_enough(N, Least, Before, Round) ->
    case Round(N) of
        {Elapsed, Longest} when Before >= Least, Elapsed >= Least -> {N, Elapsed, Longest};
        {Elapsed, _} -> long_enough(2 * N, Least, Elapsed, Round)
    end.

%% N operations by each client: the seconds of all, the microseconds of the longest.
round(N, Count, Operation, Timed) ->
    Self = self(),
    Clients = [spawn_link(fun() -> receive start -> ok end,
                                   Self ! {done, self(), client(N, Operation, Timed, 0)} end)
               || _ <- lists:seq(1, Count)],
    Begun = erlang:monotonic_time(),
    [Client ! start || Client <- Clients],
    Longest = lists:max([receive {done, Client, One} -> One end || Client <- Clients]),
    Ended = erlang:monotonic_time(),
    {(Ended - Begun) / second(), Longest * 1.0e6 / second()}.

client(0, _, _, Longest) -> Longest;
client(N, Operation, false, Longest) ->
    Operation(),
    client(N - 1, Operation, false, Longest);
client(N, Operation, true, Longest) ->
    Begun = erlang:monotonic_time(),
    Operation(),
    client(N - 1, Operation, true, max(Longest, erlang:monotonic_time() - Begun)).

second() -> erlang:convert_time_unit(1, second, native).

start_link(Program) -> gen_server:start_link(?MODULE, Program, []).

init(none) -> {ok, none};
init(Program) -> {ok, open_port({spawn_executable, Program}, [{packet, 4}, binary])}.

handle_call(Payload, _, Port) ->
    true = port_command(Port, Payload),
    receive {Port, {data, Reply}} -> {reply, Reply, Port} end.

handle_cast(_, Port) -> {noreply, Port}.
