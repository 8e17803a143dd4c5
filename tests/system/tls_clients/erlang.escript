%% A conversation with an echo server over TLS: escript erlang.escript HOST PORT CA-FILE SERVER-NAME VERSION ROUNDS
%% With TLS 1.3 both directions get new keys on the way.

-mode(compile).

message(Round) ->
    << <<((I * 31 + Round) rem 251)>> || I <- lists:seq(0, (Round * 977) rem 40000) >>.

talk(Socket, Round) ->
    Expected = message(Round),
    ok = ssl:send(Socket, Expected),
    {ok, Expected} = ssl:recv(Socket, byte_size(Expected), 10000).

renew(Socket, "1.3") -> ok = ssl:update_keys(Socket, read_write);
renew(_, _) -> ok.

main([Host, Port, CaFile, Name, Version, Rounds]) ->
    {ok, _} = application:ensure_all_started(ssl),
    Versions = [maps:get(Version, #{"1.2" => 'tlsv1.2', "1.3" => 'tlsv1.3'})],
    {ok, Socket} = ssl:connect(Host, list_to_integer(Port),
                               [binary, {active, false}, {verify, verify_peer}, {cacertfile, CaFile},
                                {server_name_indication, Name}, {versions, Versions}]),
    Last = list_to_integer(Rounds) - 1,
    lists:foreach(fun(Round) ->
                      Round rem 50 =/= 25 orelse renew(Socket, Version),
                      talk(Socket, Round)
                  end, lists:seq(0, Last)),
    ok = ssl:shutdown(Socket, write),
    {error, closed} = ssl:recv(Socket, 0, 10000),
    io:put_chars("the same\n").
